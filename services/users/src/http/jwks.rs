use app::extract::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::Users;

/// A key is published five minutes before it signs: a copy of this age knows every signer.
const CACHE_CONTROL: &str = "public, max-age=60";

/// Public keys
///
/// The keys that verify members' tokens: the one that signs now, the one that will be next, and
/// those whose last token has not expired.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "keys",
    responses((status = 200, description = "A JSON Web Key Set (RFC 7517) of Ed25519 keys.", body = Object))
)]
pub(crate) async fn jwks(State(users): State<Users>) -> impl IntoResponse {
    (
        [(header::CACHE_CONTROL, CACHE_CONTROL)],
        Json(users.keys.public()),
    )
}

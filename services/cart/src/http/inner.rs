//! What orders needs of a cart.

use app::auth::ServiceCaller;
use app::extract::{Json, Path, Query};
use app::{Problem, Timestamp, detached};
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{CartView, Desk};
use crate::domain::MemberId;

const CALLERS: [&str; 1] = ["orders"];

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Bought {
    /// Version of the cart that was bought.
    version: u64,
}

/// A member's cart
#[utoipa::path(get, path = "/inner/v1/carts/{member_id}", tag = "inner",
    params(("member_id" = Uuid, Path, description = "Id of the member")), responses(
    (status = 200, description = "The cart; an empty one if there is none", body = CartView),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 401, description = "No valid service token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: the caller is not orders",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(desk): State<Desk>,
    caller: ServiceCaller,
    Path(member_id): Path<Uuid>,
) -> Result<Json<CartView>, Problem> {
    caller.one_of(&CALLERS)?;
    desk.cart(MemberId(member_id)).await.map(Json)
}

/// Empty the cart that was bought
///
/// One that was changed since stays as it is, so the call can be repeated.
#[utoipa::path(delete, path = "/inner/v1/carts/{member_id}", tag = "inner",
    params(("member_id" = Uuid, Path, description = "Id of the member")), responses(
    (status = 204, description = "Emptied, or of another version"),
    (status = 400, description = "`invalid_path`, `invalid_query`", content_type = "application/problem+json"),
    (status = 401, description = "No valid service token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: the caller is not orders",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn empty(
    State(desk): State<Desk>,
    caller: ServiceCaller,
    Path(member_id): Path<Uuid>,
    Query(bought): Query<Bought>,
) -> Result<StatusCode, Problem> {
    caller.one_of(&CALLERS)?;
    let member = MemberId(member_id);
    let empty = async move {
        let now = Timestamp::now();
        desk.store.empty(member, bought.version, now).await
    };
    detached(empty).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Desk {
    /// Detached: a cart that is read may be written too, to live on.
    pub(super) async fn cart(self, member: MemberId) -> Result<CartView, Problem> {
        let cart = detached(async move {
            let ttl = self.settings.load().ttl();
            self.store.cart(member, Timestamp::now(), ttl).await
        });
        Ok(cart.await?.into())
    }
}

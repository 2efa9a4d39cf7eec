//! Placing an order.

use std::time::Duration;

use app::auth::Member;
use app::extract::Json;
use app::{Problem, detached};
use axum::body::HttpBody as _;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use calls::deadline;
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::Desk;
use super::problems::{bad_request, unprocessable};
use crate::domain::{Key, Order};
use crate::placing::{Given, Wanted};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What is left of the request's budget for the answer itself.
const ANSWERING: Duration = Duration::from_millis(200);

/// What a member says about an order. The rest is in the cart.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceOrder {
    /// A word to whoever packs it.
    #[serde(default)]
    note: Option<String>,
}

/// Orders what is in the cart.
///
/// A request that is repeated with the same key and body gets the answer of the first, unchanged:
/// also a 202 whose order has ended since (its `Location` tells), and whatever the cart holds now.
/// A key under which nothing was started stays free.
#[utoipa::path(post, path = "/api/orders", tag = "orders", request_body = Option<PlaceOrder>,
    params(("idempotency-key" = String, Header,
        description = "1 to 255 visible ASCII characters, kept for 24 hours for each member")),
    responses(
    (status = 201, description = "The order has ended: confirmed, or cancelled with a `reason`",
        body = Order, headers(("location" = String),
            ("idempotency-replayed" = String, description = "`true` if the answer is a repeated one"))),
    (status = 202, description = "The order is taken and goes on; `Location` tells how it ends",
        body = Order, headers(("location" = String),
            ("idempotency-replayed" = String, description = "`true` if the answer is a repeated one"))),
    (status = 400, description = "`idempotency_key_required`, `invalid_idempotency_key`, `invalid_json`",
        content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 409, description = "`idempotency_key_in_use`: the first request with the key is not answered yet",
        content_type = "application/problem+json"),
    (status = 422, description = "`cart_empty`, `unknown_product`, `mixed_currencies`, `total_too_large`, \
        `note_too_long`, `idempotency_key_reused`, `invalid_fields`",
        content_type = "application/problem+json"),
    (status = 503, description = "`cart_unavailable`, `catalog_unavailable`: nothing was started",
        content_type = "application/problem+json"),
))]
pub(super) async fn place(
    Member(member): Member,
    State(desk): State<Desk>,
    request: Request,
) -> Result<Response, Problem> {
    let key = key(request.headers())?;
    let PlaceOrder { note } = read(request).await?;
    let settings = desk.settings.load();
    let most = settings.note_max_chars;
    if note
        .as_ref()
        .is_some_and(|note| note.chars().count() > most)
    {
        return Err(unprocessable("note_too_long", "The note is too long")
            .detail(format!("`note` may have at most {most} characters")));
    }
    let wanted = Wanted {
        member_id: member.sub.clone(),
        key,
        note,
    };
    let budget = budget(Duration::from_millis(settings.answer_within_ms));
    // Whoever hangs up cancels nothing.
    let order = async move { desk.placing.order(wanted, budget).await };
    let Given { answer, replayed } = detached(deadline::kept(order)).await?;

    let status = StatusCode::from_u16(answer.status).map_err(Problem::internal)?;
    let location = HeaderValue::from_str(&format!("/api/orders/{}", answer.order));
    let mut headers = HeaderMap::new();
    headers.insert(header::LOCATION, location.map_err(Problem::internal)?);
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    if replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok((status, headers, answer.body).into_response())
}

/// Until when the end of an order is waited for.
fn budget(own: Duration) -> Instant {
    let now = Instant::now();
    let of_request = deadline::current().map(|deadline| {
        let left = deadline.remaining(now.into_std());
        left.saturating_sub(ANSWERING)
    });
    now + of_request.map_or(own, |left| left.min(own))
}

fn key(headers: &HeaderMap) -> Result<Key, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Err(
            bad_request("idempotency_key_required", "An Idempotency-Key is needed")
                .detail("send `Idempotency-Key` with a value that no other order of yours has"),
        );
    };
    let invalid = |detail: String| {
        bad_request("invalid_idempotency_key", "Invalid Idempotency-Key").detail(detail)
    };
    if values.next().is_some() {
        return Err(invalid("send one `Idempotency-Key`".to_owned()));
    }
    Key::parse(value.as_bytes()).map_err(|error| invalid(error.to_string()))
}

/// An order without a note needs no body.
async fn read(request: Request) -> Result<PlaceOrder, Problem> {
    if !request.headers().contains_key(header::CONTENT_TYPE) && request.body().is_end_stream() {
        return Ok(PlaceOrder::default());
    }
    let Json(body) = Json::from_request(request, &()).await?;
    Ok(body)
}

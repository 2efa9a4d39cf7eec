//! What orders ask for. Each request may be sent again until it is answered: the second does
//! nothing and is answered like the first.

use std::time::Duration;

use app::auth::ServiceCaller;
use app::extract::{Json, Path};
use app::{Problem, Timestamp, detached};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Desk;
use crate::domain::{Item, Items, Reservation};
use crate::store::Reserved;

const CALLERS: &[&str] = &["orders"];

/// What an order needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Units by product, each product once.
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<Item>,
}

/// Holds all of the items for an order, or none. The answer to a repeated request says what
/// became of the reservation since, which may have expired.
#[utoipa::path(put, path = "/inner/v1/reservations/{order_id}", tag = "reservations",
    request_body = Wanted, params(("order_id" = Uuid, Path, description = "Id of the order")),
    responses(
    (status = 201, description = "Held", body = Reservation),
    (status = 200, description = "Reserved before, with the same items", body = Reservation),
    (status = 400, description = "`invalid_path`, `invalid_json`",
        content_type = "application/problem+json"),
    (status = 401, description = "No valid service token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not for this service",
        content_type = "application/problem+json"),
    (status = 409, description = "`out_of_stock`, `reservation_released`",
        content_type = "application/problem+json"),
    (status = 422, description = "`reservation_differs`, `invalid_items`, `invalid_fields`",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn reserve(
    caller: ServiceCaller,
    State(desk): State<Desk>,
    Path(order_id): Path<Uuid>,
    Json(wanted): Json<Wanted>,
) -> Result<Response, Problem> {
    caller.one_of(CALLERS)?;
    let items = Items::checked(wanted.items)?;
    let ttl = Duration::from_millis(desk.settings.load().reservation_ttl_ms);
    let reserved = detached(async move {
        let outcome = desk
            .store
            .reserve(order_id, items, Timestamp::now(), ttl)
            .await;
        desk.metrics.reserve_ended(&outcome);
        outcome
    })
    .await?;
    Ok(match reserved {
        Reserved::New(held) => (StatusCode::CREATED, Json(held)).into_response(),
        Reserved::Again(known) => Json(known).into_response(),
    })
}

/// Sells what is held for an order.
#[utoipa::path(post, path = "/inner/v1/reservations/{order_id}/confirm", tag = "reservations",
    params(("order_id" = Uuid, Path, description = "Id of the order")),
    responses(
    (status = 200, description = "Sold, now or before", body = Reservation),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 401, description = "No valid service token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not for this service",
        content_type = "application/problem+json"),
    (status = 404, description = "`unknown_reservation`", content_type = "application/problem+json"),
    (status = 409, description = "`reservation_expired`, `reservation_released`",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn confirm(
    caller: ServiceCaller,
    State(desk): State<Desk>,
    Path(order_id): Path<Uuid>,
) -> Result<Json<Reservation>, Problem> {
    caller.one_of(CALLERS)?;
    detached(async move { desk.store.confirm(order_id, Timestamp::now()).await })
        .await
        .map(Json)
}

/// Gives back what is held for an order. If nothing was held yet, nothing will be: a reservation
/// that comes later is refused.
#[utoipa::path(delete, path = "/inner/v1/reservations/{order_id}", tag = "reservations",
    params(("order_id" = Uuid, Path, description = "Id of the order")),
    responses(
    (status = 200, description = "Released, now or before", body = Reservation),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 401, description = "No valid service token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not for this service",
        content_type = "application/problem+json"),
    (status = 409, description = "`reservation_confirmed`", content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn release(
    caller: ServiceCaller,
    State(desk): State<Desk>,
    Path(order_id): Path<Uuid>,
) -> Result<Json<Reservation>, Problem> {
    caller.one_of(CALLERS)?;
    detached(async move { desk.store.release(order_id).await })
        .await
        .map(Json)
}

//! Reading orders: each member their own.

use app::Problem;
use app::auth::Member;
use app::extract::{Json, Path, Query};
use app::page::{ListQuery, Page, and_one};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Desk;
use crate::domain::{Order, Recorded};
use crate::store::StoreFailure;

/// The member's orders, newest first.
#[utoipa::path(get, path = "/api/orders", tag = "orders", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Order>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
))]
pub(super) async fn list(
    Member(member): Member,
    State(desk): State<Desk>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Order>>, Problem> {
    let settings = desk.settings.load();
    let (before, limit) = wanted.read(settings.page_size, settings.page_size_max)?;
    let orders = desk
        .store
        .orders_of(&member.sub, before, and_one(limit))
        .await?;
    Ok(Json(Page::by_id(orders, limit, |order| order.id)))
}

/// One order.
#[utoipa::path(get, path = "/api/orders/{id}", tag = "orders",
    params(("id" = Uuid, Path, description = "Id of the order")), responses(
    (status = 200, description = "The order", body = Order),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_order`: there is none, or it is another member's",
        content_type = "application/problem+json"),
))]
pub(super) async fn show(
    Member(member): Member,
    State(desk): State<Desk>,
    Path(id): Path<Uuid>,
) -> Result<Json<Order>, Problem> {
    let log = desk.store.log(id).await?;
    Ok(Json(own(id, &log, &member.sub)?))
}

/// What happened to an order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct History {
    /// Every event, oldest first.
    items: Vec<Recorded>,
}

/// The log of an order: all that it is, and how it came to be so.
#[utoipa::path(get, path = "/api/orders/{id}/history", tag = "orders",
    params(("id" = Uuid, Path, description = "Id of the order")), responses(
    (status = 200, description = "Every event", body = History),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_order`: there is none, or it is another member's",
        content_type = "application/problem+json"),
))]
pub(super) async fn history(
    Member(member): Member,
    State(desk): State<Desk>,
    Path(id): Path<Uuid>,
) -> Result<Json<History>, Problem> {
    let items = desk.store.log(id).await?;
    own(id, &items, &member.sub)?;
    Ok(Json(History { items }))
}

/// The order, if it is this member's: of others' nobody learns that they exist.
fn own(id: Uuid, log: &[Recorded], member: &str) -> Result<Order, StoreFailure> {
    Order::of(id, log)
        .filter(|order| order.member_id == member)
        .ok_or(StoreFailure::UnknownOrder)
}

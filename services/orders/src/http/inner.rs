//! For those who check the books: never for shoppers.

use app::Problem;
use app::auth::Operator;
use app::extract::{Json, Query};
use app::money::Money;
use app::page::{ListQuery, Page, and_one};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Desk;
use crate::domain::{Order, Status};

/// Most orders on a page, and as many as there are when nothing is said.
const PAGE: usize = 1_000;

/// An order as a book has it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entry {
    id: Uuid,
    member_id: String,
    status: Status,
    total: Money,
}

impl From<Order> for Entry {
    fn from(order: Order) -> Self {
        Self {
            id: order.id,
            member_id: order.member_id,
            status: order.status,
            total: order.total,
        }
    }
}

/// Every order of every member, newest first.
#[utoipa::path(get, path = "/inner/v1/orders", tag = "inner", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Entry>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 401, description = "No operator token", content_type = "application/problem+json"),
))]
pub(super) async fn list(
    _: Operator,
    State(desk): State<Desk>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Entry>>, Problem> {
    let (before, limit) = wanted.read(PAGE, PAGE)?;
    let orders = desk.store.all_orders(before, and_one(limit)).await?;
    let page = Page::by_id(orders, limit, |order| order.id);
    Ok(Json(page.map(Entry::from)))
}

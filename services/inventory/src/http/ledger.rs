//! Every row, for those who check the books.

use app::Problem;
use app::auth::Operator;
use app::extract::{Json, Query};
use app::page::Page;
use axum::extract::State;

use super::{Desk, ListQuery, paged, rows};
use crate::domain::{Reservation, Stock};

/// Lists every product that was ever touched, by ascending id.
#[utoipa::path(get, path = "/inner/v1/stock", tag = "ledger", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Stock>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 401, description = "Not the operator token", content_type = "application/problem+json"),
))]
pub(super) async fn stock(
    _: Operator,
    State(desk): State<Desk>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Stock>>, Problem> {
    stock_page(&desk, &wanted).await.map(Json)
}

/// Lists every reservation that was ever made or released, by ascending id of the order.
#[utoipa::path(get, path = "/inner/v1/reservations", tag = "ledger", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Reservation>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 401, description = "Not the operator token", content_type = "application/problem+json"),
))]
pub(super) async fn reservations(
    _: Operator,
    State(desk): State<Desk>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Reservation>>, Problem> {
    let (after, limit) = wanted.read(&desk.settings.load())?;
    let rows = desk.store.reservations_after(after, rows(limit)).await?;
    Ok(Json(paged(rows, limit, |row| row.order_id)))
}

/// The same rows for operators and admins.
pub(super) async fn stock_page(desk: &Desk, wanted: &ListQuery) -> Result<Page<Stock>, Problem> {
    let (after, limit) = wanted.read(&desk.settings.load())?;
    let rows = desk.store.stock_after(after, rows(limit)).await?;
    Ok(paged(rows, limit, |row| row.product_id))
}

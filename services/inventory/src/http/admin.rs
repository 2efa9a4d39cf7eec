//! What admins may see and change.

use app::auth::Admin;
use app::extract::{Json, Path, Query};
use app::page::Page;
use app::{Problem, detached};
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Desk, ListQuery, ledger};
use crate::domain::{OnHand, Stock};

/// What an admin may set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Counted {
    /// Units that can be promised from now on.
    #[schema(maximum = 1_000_000_000)]
    on_hand: u32,
}

/// Lists the products that were ever touched, by ascending id.
#[utoipa::path(get, path = "/api/admin/stock", tag = "admin", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Stock>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not an admin", content_type = "application/problem+json"),
))]
pub(super) async fn list(
    _: Admin,
    State(desk): State<Desk>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Stock>>, Problem> {
    ledger::stock_page(&desk, &wanted).await.map(Json)
}

/// One product's units. A product that nobody has touched has the initial stock.
#[utoipa::path(get, path = "/api/admin/stock/{product_id}", tag = "admin",
    params(("product_id" = Uuid, Path, description = "Id of the product")),
    responses(
    (status = 200, description = "Its units", body = Stock),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not an admin", content_type = "application/problem+json"),
))]
pub(super) async fn show(
    _: Admin,
    State(desk): State<Desk>,
    Path(product_id): Path<Uuid>,
) -> Result<Json<Stock>, Problem> {
    Ok(Json(desk.store.stock(product_id).await?))
}

/// Sets how many units can be promised from now on. The difference to how many could be promised
/// just before is added to `adjusted`; units that are held or sold stay so. Orders go on
/// meanwhile: whoever counts units on a shelf leaves out those that are held, and a request that
/// is sent again after further sales brings those units back.
#[utoipa::path(put, path = "/api/admin/stock/{product_id}", tag = "admin", request_body = Counted,
    params(("product_id" = Uuid, Path, description = "Id of the product")),
    responses(
    (status = 200, description = "Its units now", body = Stock),
    (status = 400, description = "`invalid_path`, `invalid_json`",
        content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not an admin", content_type = "application/problem+json"),
    (status = 422, description = "`invalid_on_hand`, `invalid_fields`",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn adjust(
    Admin(admin): Admin,
    State(desk): State<Desk>,
    Path(product_id): Path<Uuid>,
    Json(counted): Json<Counted>,
) -> Result<Json<Stock>, Problem> {
    let on_hand = OnHand::checked(counted.on_hand)?;
    let stock = detached(async move {
        let stock = desk.store.set_on_hand(product_id, on_hand).await?;
        tracing::info!(
            admin = admin.sub, product = %product_id, on_hand = stock.on_hand,
            adjusted = stock.adjusted, "stock was set"
        );
        Ok::<_, Problem>(stock)
    })
    .await?;
    Ok(Json(stock))
}

//! For those who check the books: never for shoppers.

use app::Problem;
use app::auth::Operator;
use app::extract::{Json, Query};
use app::page::{ListQuery, Page, and_one};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Shipment;
use crate::store::Store;

/// Most shipments on a page, and as many as there are when nothing is said.
const PAGE: usize = 1_000;

/// A shipment, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entry {
    #[serde(flatten)]
    shipment: Shipment,
    member_id: String,
}

/// Every shipment of every member, newest first.
#[utoipa::path(get, path = "/inner/v1/shipments", tag = "inner", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Entry>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 401, description = "No operator token", content_type = "application/problem+json"),
))]
pub(super) async fn list(
    _: Operator,
    State(store): State<Store>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Entry>>, Problem> {
    let (before, limit) = wanted.read(PAGE, PAGE)?;
    let shipments = store.all(before, and_one(limit)).await?;
    let page = Page::by_id(shipments, limit, |shipment| shipment.id);
    Ok(Json(page.map(|shipment| Entry {
        member_id: shipment.member_id.clone(),
        shipment,
    })))
}

//! What orders needs to know of products.

use app::Problem;
use app::auth::ServiceCaller;
use app::extract::{Json, Query};
use app::money::Money;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Desk;
use super::problems::bad_request;
use super::wanted::PricesQuery;
use crate::domain::{Localized, Product};

const CALLERS: [&str; 1] = ["orders"];

/// Twice what a cart can hold.
const IDS_MAX: usize = 100;

/// A product as it is sold now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Price {
    /// UUIDv7.
    product_id: Uuid,
    /// What it is called.
    name: Localized,
    /// What one costs.
    price: Money,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Prices {
    items: Vec<Price>,
}

impl From<Product> for Price {
    fn from(product: Product) -> Self {
        Self {
            product_id: product.id,
            name: product.name,
            price: product.price,
        }
    }
}

/// What products are called and cost
///
/// Read from their rows: a price that was edited holds from then on. Products that are unknown or
/// not sold any more are left out.
#[utoipa::path(get, path = "/inner/v1/prices", tag = "inner", params(PricesQuery), responses(
    (status = 200, description = "Those that are sold, in the order of their ids", body = Prices),
    (status = 400, description = "`invalid_query`, `invalid_ids`, `too_many_ids`",
        content_type = "application/problem+json"),
    (status = 401, description = "No valid service token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: the caller is not orders",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn prices(
    State(desk): State<Desk>,
    caller: ServiceCaller,
    Query(wanted): Query<PricesQuery>,
) -> Result<Json<Prices>, Problem> {
    caller.one_of(&CALLERS)?;
    let ids = ids(&wanted.ids)?;
    let products = desk.store.products(&ids).await?;
    let items = products.into_iter().map(Price::from).collect();
    Ok(Json(Prices { items }))
}

fn ids(list: &str) -> Result<Vec<Uuid>, Problem> {
    let ids = list.split(',').filter(|id| !id.is_empty());
    let ids: Vec<_> = ids
        .map(Uuid::try_parse)
        .collect::<Result<_, _>>()
        .map_err(|_| {
            bad_request("invalid_ids", "Invalid ids")
                .detail("`ids` holds what is no id of a product")
        })?;
    if ids.len() > IDS_MAX {
        return Err(bad_request("too_many_ids", "Too many ids")
            .detail(format!("`ids` may hold at most {IDS_MAX}")));
    }
    Ok(ids)
}

//! Routes and wire types.

mod inner;
mod member;
mod problems;

use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;

use crate::store::Store;

pub(crate) fn router(store: Store) -> Router {
    Router::new()
        .route("/api/shipments/{order_id}", get(member::show))
        .route("/inner/v1/shipments", get(inner::list))
        .with_state(store)
}

#[derive(OpenApi)]
#[openapi(
    info(
        description = "Shipments: one for each confirmed order, moved by a scheduler of their own."
    ),
    paths(member::show, inner::list)
)]
pub(crate) struct Api;

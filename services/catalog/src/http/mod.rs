//! Routes and wire types.

mod admin;
mod browse;
mod etag;
mod inner;
mod problems;
mod wanted;

use std::sync::Arc;

use app::Live;
use axum::Router;
use axum::routing::{get, post, put};
use utoipa::OpenApi;

use crate::Settings;
use crate::metrics::Metrics;
use crate::search::Follower;
use crate::store::Store;
use crate::views::Views;

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Desk {
    pub store: Store,
    pub follower: Arc<Follower>,
    pub views: Views,
    pub metrics: Metrics,
    pub settings: Live<Settings>,
}

pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/api/products", get(browse::list))
        .route("/api/products/{id}", get(browse::show))
        .route("/api/categories", get(browse::categories))
        .route("/api/admin/products", post(admin::create))
        .route(
            "/api/admin/products/{id}",
            put(admin::replace).delete(admin::delete),
        )
        .route("/inner/v1/prices", get(inner::prices))
        .with_state(desk)
}

#[derive(OpenApi)]
#[openapi(
    info(description = "Products and categories; search in Korean and English."),
    paths(
        browse::list,
        browse::show,
        browse::categories,
        admin::create,
        admin::replace,
        admin::delete,
        inner::prices
    )
)]
pub(crate) struct Api;

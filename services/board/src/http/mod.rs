//! Routes and wire types.

mod posts;
mod problems;

use std::sync::Arc;

use app::Live;
use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;

use crate::Settings;
use crate::metrics::Metrics;
use crate::names::Names;
use crate::store::Store;

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Desk {
    pub store: Store,
    pub names: Arc<Names>,
    pub metrics: Metrics,
    pub settings: Live<Settings>,
}

pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/api/posts", get(posts::list).post(posts::write))
        .route("/api/posts/{id}", get(posts::show))
        .with_state(desk)
}

#[derive(OpenApi)]
#[openapi(
    info(description = "Posts of members, with the names that users knows them by."),
    paths(posts::list, posts::write, posts::show)
)]
pub(crate) struct Api;

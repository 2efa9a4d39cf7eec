//! The registry's interface: routes, wire types, and who may call what.

mod admin;
mod caller;
mod documents;
mod error;
mod instances;
mod targets;
mod watches;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;

use crate::directory::Directory;
use crate::documents::Documents;

pub(crate) use watches::Watchers;

/// What every handler works on.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) directory: Arc<Directory>,
    pub(crate) documents: Arc<Documents>,
    pub(crate) watchers: Arc<Watchers>,
    /// Ends the event streams, so that draining waits for none.
    pub(crate) stopping: CancellationToken,
}

pub(crate) fn router(context: Context) -> Router {
    Router::new()
        .route("/v1/instances", post(instances::register))
        .route(
            "/v1/instances/{service}/{instance_id}",
            put(instances::heartbeat).delete(instances::deregister),
        )
        .route("/v1/services", get(instances::list))
        .route("/v1/services/{service}", get(instances::read))
        .route("/v1/services/{service}/watch", get(instances::watch))
        .route("/v1/documents", get(documents::list))
        .route(
            "/v1/documents/{name}",
            get(documents::read).put(documents::write),
        )
        .route("/v1/documents/{name}/history", get(documents::history))
        .route("/v1/documents/{name}/watch", get(documents::watch))
        .route("/api/admin/documents", get(admin::list))
        .route(
            "/api/admin/documents/{name}",
            get(admin::read).put(admin::write),
        )
        .route("/api/admin/documents/{name}/history", get(admin::history))
        .route("/api/admin/documents/{name}/watch", get(admin::watch))
        .route("/prometheus/targets", get(targets::targets))
        .with_state(context)
}

#[derive(OpenApi)]
#[openapi(
    paths(
        instances::register,
        instances::heartbeat,
        instances::deregister,
        instances::list,
        instances::read,
        instances::watch,
        documents::list,
        documents::read,
        documents::write,
        documents::history,
        documents::watch,
        admin::list,
        admin::read,
        admin::write,
        admin::history,
        admin::watch,
        targets::targets,
    ),
    tags(
        (name = "instances", description = "Who is where"),
        (name = "documents", description = "Central configuration, for services and the operator"),
        (name = "admin documents", description = "Central configuration, for administrators"),
        (name = "prometheus", description = "Service discovery for Prometheus"),
    ),
)]
struct Api;

pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    Api::openapi()
}

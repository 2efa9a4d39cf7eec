//! Routes and wire types.

mod inner;
mod place;
mod problems;
mod read;

use app::Live;
use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;

use crate::Settings;
use crate::placing::Placing;
use crate::store::Store;

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Desk {
    pub store: Store,
    pub placing: Placing,
    pub settings: Live<Settings>,
}

pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/api/orders", get(read::list).post(place::place))
        .route("/api/orders/{id}", get(read::show))
        .route("/api/orders/{id}/history", get(read::history))
        .route("/inner/v1/orders", get(inner::list))
        .with_state(desk)
}

#[derive(OpenApi)]
#[openapi(
    info(description = "Orders as logs of events, and the saga that fulfils them."),
    paths(place::place, read::list, read::show, read::history, inner::list)
)]
pub(crate) struct Api;

//! Posts of members: what they write is kept here, what they are called is known to users alone.
//!
//! A post holds its author's id and nothing else of them. The names on a page are asked for in one
//! call, kept for a short while, and left out when users cannot say: reading the board never
//! depends on another service.

mod domain;
mod events;
mod http;
mod metrics;
mod names;
mod points;
mod settings;
mod store;

pub use settings::Settings;

use std::sync::Arc;

use app::{City, Parts, Service, StartError, with_causes};
use stores::sql::{self, Durability};

use crate::metrics::Metrics;
use crate::names::Names;
use crate::points::Points;
use crate::store::Store;

/// The service.
pub struct Board;

impl Service for Board {
    const NAME: &'static str = "board";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        <http::Api as utoipa::OpenApi>::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let data_dir = city.common.load().data_dir.clone();
        let sql = sql::open(
            &city.telemetry,
            &city.settings.load().store_url,
            &data_dir,
            &store::MIGRATIONS,
            Durability::Normal,
        )
        .await
        .map_err(|error| cannot_start(&error))?;
        let events = ::events::Events::open(&city, &sql)
            .await
            .map_err(|error| cannot_start(&error))?;
        let metrics =
            Metrics::register(city.telemetry.registry()).map_err(|error| cannot_start(&error))?;
        let points = Points::new(&city.faults);
        let store = Store::new(sql, events.outbox(), points.post);
        let router = http::router(http::Desk {
            store: store.clone(),
            names: Arc::new(Names::new(
                &city.calls,
                points.names,
                metrics.clone(),
                city.settings.clone(),
            )),
            metrics,
            settings: city.settings,
        });
        Ok(events
            .into_parts(router)
            .reaches("store", store, async |store| store.ping().await))
    }
}

fn cannot_start(error: &dyn std::error::Error) -> StartError {
    StartError::new(with_causes(error))
}

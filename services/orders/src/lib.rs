//! Orders: each is the log of its events, and a saga takes it to its end.
//!
//! An order is written down before anything is done for it, and ends confirmed or cancelled
//! whatever dies meanwhile. It knows other services by their interfaces alone, and keeps no token:
//! what it does for a member later it does as itself.

mod clients;
mod domain;
mod events;
mod http;
mod metrics;
mod placing;
mod points;
mod saga;
mod settings;
mod store;

pub use settings::Settings;

use std::sync::Arc;

use ::events::{Events, EventsApi};
use app::{City, Parts, Service, StartError, with_causes};
use calls::edges::ORDERS_SHIPPING_FEED;
use stores::sql::{self, Durability};
use utoipa::OpenApi as _;

use clients::Clients;
use metrics::Metrics;
use placing::Placing;
use points::Points;
use saga::{Needs, Sagas};
use store::Store;

/// The service.
pub struct Orders;

impl Service for Orders {
    const NAME: &'static str = "orders";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        let mut own = http::Api::openapi();
        own.merge(EventsApi::openapi());
        own
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let data_dir = city.common.load().data_dir.clone();
        let sql = sql::open(
            &city.telemetry,
            &city.settings.load().store_url,
            &data_dir,
            &store::MIGRATIONS,
            // An order that was answered is not lost with the machine's power.
            Durability::Full,
        )
        .await
        .map_err(|error| cannot_start(&error))?;
        let events = Events::open(&city, &sql)
            .await
            .map_err(|error| cannot_start(&error))?;
        let store = Store::new(sql, events.outbox());
        let metrics =
            Metrics::register(city.telemetry.registry()).map_err(|error| cannot_start(&error))?;
        let clients = Clients::new(&city.calls);
        let points = Arc::new(Points::new(&city.faults));
        let sagas = Sagas::new(Needs {
            store: store.clone(),
            clients: clients.clone(),
            points: Arc::clone(&points),
            metrics: metrics.clone(),
            settings: city.settings.clone(),
            telemetry: city.telemetry,
            instance: city.instance_id,
            stopping: city.stopping,
        });
        let placing = Placing {
            store: store.clone(),
            clients,
            sagas: sagas.clone(),
            points,
            metrics,
            settings: city.settings.clone(),
        };
        let router = http::router(http::Desk {
            store: store.clone(),
            placing,
            settings: city.settings,
        });
        let shipping = events::Shipping(store.clone());
        Ok(events
            .feed_for(events::READERS)
            .consume(&ORDERS_SHIPPING_FEED, shipping)
            .into_parts(router)
            .reaches("store", store, async |store| store.ping().await)
            .task("sagas", sagas.run()))
    }
}

fn cannot_start(error: &dyn std::error::Error) -> StartError {
    StartError::new(with_causes(error))
}

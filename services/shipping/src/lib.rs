//! Shipments: each confirmed order has one, which is dispatched and delivered when its time has
//! come.
//!
//! It learns of orders by their events alone, and tells what became of a shipment by events of its
//! own; nobody waits for it. It knows neither what is in a parcel nor what it cost.

mod domain;
mod events;
mod http;
mod metrics;
mod points;
mod scheduler;
mod settings;
mod store;

pub use settings::Settings;

use ::events::{Events, EventsApi};
use app::{City, Parts, Service, StartError, with_causes};
use calls::edges::SHIPPING_ORDERS_FEED;
use stores::sql::{self, Durability};
use utoipa::OpenApi as _;

use metrics::Metrics;
use points::Points;
use scheduler::{Needs, Scheduler};
use store::Store;

/// The service.
pub struct Shipping;

impl Service for Shipping {
    const NAME: &'static str = "shipping";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        let mut own = http::Api::openapi();
        own.merge(EventsApi::openapi());
        own
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let sql = sql::open(
            &city.telemetry,
            &city.settings.load().store_url,
            &city.common.load().data_dir,
            &store::MIGRATIONS,
            // What others have read of the feed is not lost with the machine's power.
            Durability::Full,
        )
        .await
        .map_err(|error| cannot_start(&error))?;
        let metrics =
            Metrics::register(city.telemetry.registry()).map_err(|error| cannot_start(&error))?;
        let events = Events::open(&city, &sql)
            .await
            .map_err(|error| cannot_start(&error))?;
        let store = Store::new(sql, events.outbox());
        let scheduler = Scheduler::new(Needs {
            store: store.clone(),
            points: Points::new(&city.faults),
            metrics,
            settings: city.settings,
            telemetry: city.telemetry,
            instance: city.instance_id,
            stopping: city.stopping,
        });
        let router = http::router(store.clone());
        Ok(events
            .feed_for(events::READERS)
            .consume(&SHIPPING_ORDERS_FEED, events::Orders(scheduler.clone()))
            .into_parts(router)
            .reaches("store", store, async |store| store.ping().await)
            .task("moves", scheduler.run()))
    }
}

fn cannot_start(error: &dyn std::error::Error) -> StartError {
    StartError::new(with_causes(error))
}

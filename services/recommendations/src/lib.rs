//! What is bought together and what is looked at together.
//!
//! Everything here is built from the events of orders and the catalog, and can be thrown away and
//! built again. It asks nobody: it knows products and viewers by their ids alone, and answers from
//! its own rows whoever else is away.

mod domain;
mod events;
mod http;
mod metrics;
mod settings;
mod store;

pub use settings::Settings;

use ::events::Events;
use app::{City, Parts, Service, StartError, with_causes};
use calls::edges::{RECOMMENDATIONS_CATALOG_FEED, RECOMMENDATIONS_ORDERS_FEED};
use stores::sql::{self, Durability};
use utoipa::OpenApi as _;

use self::events::{FromCatalog, FromOrders};
use metrics::Metrics;
use store::Store;

/// The service.
pub struct Recommendations;

impl Service for Recommendations {
    const NAME: &'static str = "recommendations";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        http::Api::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let data_dir = city.common.load().data_dir.clone();
        // Effects and cursors are lost together or not at all: what is lost is read again.
        let sql = sql::open(
            &city.telemetry,
            &city.settings.load().store_url,
            &data_dir,
            &store::MIGRATIONS,
            Durability::Normal,
        )
        .await
        .map_err(|error| StartError::new(with_causes(&error)))?;
        let metrics = Metrics::register(city.telemetry.registry()).map_err(StartError::new)?;
        let events = Events::open(&city, &sql)
            .await
            .map_err(|error| StartError::new(with_causes(&error)))?;
        let store = Store::new(sql, metrics.clone());
        let (store_of, settings) = (|| store.clone(), city.settings);
        let events = events
            .consume(
                &RECOMMENDATIONS_ORDERS_FEED,
                FromOrders {
                    store: store_of(),
                    settings: settings.clone(),
                },
            )
            .consume(
                &RECOMMENDATIONS_CATALOG_FEED,
                FromCatalog {
                    store: store_of(),
                    settings: settings.clone(),
                },
            );
        let router = http::router(http::Desk {
            store: store_of(),
            metrics,
            settings,
        });
        Ok(events
            .into_parts(router)
            .reaches("store", store, async |store| store.ping().await))
    }
}

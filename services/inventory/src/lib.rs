//! What is in stock, and what of it is promised to whom.
//!
//! A reservation promises goods for money, so each is one durable transaction that holds all of
//! an order's items or none, and every unit that ever came in is on hand, held or sold. It knows
//! orders and products by their ids alone: neither prices nor names, nor whether they exist.

mod domain;
mod events;
mod gauges;
mod http;
mod metrics;
mod points;
mod settings;
mod store;
mod sweeper;

pub use settings::Settings;

use ::events::Events;
use app::{City, Parts, Service, StartError, with_causes};
use stores::sql::{self, Durability};
use utoipa::OpenApi as _;

use events::StockChanged;
use metrics::Metrics;
use points::Points;
use store::Store;
use sweeper::SystemClock;

/// The service.
pub struct Inventory;

impl Service for Inventory {
    const NAME: &'static str = "inventory";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        http::Api::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let settings = city.settings.load();
        let sql = sql::open(
            &city.telemetry,
            &settings.store_url,
            &city.common.load().data_dir,
            &sqlx::migrate!(),
            Durability::Full,
        )
        .await
        .map_err(|error| StartError::new(with_causes(&error)))?;
        let metrics = Metrics::register(city.telemetry.registry()).map_err(StartError::new)?;
        let points = Points::new(&city.faults);
        let events = Events::open(&city, &sql)
            .await
            .map_err(|error| StartError::new(with_causes(&error)))?
            .publishes::<StockChanged>()
            .feed_for(&["catalog"]);
        let (outbox, initial) = (events.outbox(), settings.initial_stock);
        let store = Store::new(sql, outbox, initial, points, metrics.clone());

        let router = http::router(http::Desk {
            store: store.clone(),
            metrics: metrics.clone(),
            settings: city.settings.clone(),
        });
        let sweep = sweeper::run(store.clone(), metrics.clone(), city.settings, SystemClock);
        let gauges = gauges::run(store.clone(), metrics);
        let (sweeping, gauging) = (city.stopping.clone(), city.stopping);
        Ok(events
            .into_parts(router)
            .reaches("store", store, async |store| store.ping().await)
            .task("sweep", async move {
                sweeping.run_until_cancelled(sweep).await;
            })
            .task("gauges", async move {
                gauging.run_until_cancelled(gauges).await;
            }))
    }
}

//! What members put aside to buy.
//!
//! A cart is one value by its member's id, written whole. It holds ids and quantities only: it
//! never knows prices, stock or orders, and never asks whether a product is sold.

mod domain;
mod housekeeping;
mod http;
mod metrics;
mod store;

use std::error::Error;
use std::time::Duration;

use app::{City, Parts, Service, StartError, with_causes};
use stores::kv;

use metrics::Metrics;
use store::Store;

app::settings! {
    /// What cart can be told.
    pub struct Settings validated by validate {
        /// Where the carts are; a relative file lies in the data directory. The file serves one
        /// instance.
        boot store_url: String = "redb:cart.redb".into(),
        /// How long a cart lives that nobody touches, in milliseconds: a minute or more.
        live cart_ttl_ms: u64 = 30 * 24 * 60 * 60 * 1_000,
        /// How often carts that lived too long are looked for, in milliseconds.
        live sweep_interval_ms: u64 = 60 * 60 * 1_000,
    }
}

const TTL_MIN_MS: u64 = 60_000;

fn validate(settings: &Settings) -> Result<(), String> {
    if settings.cart_ttl_ms < TTL_MIN_MS {
        return Err(format!("`cart_ttl_ms` must be at least {TTL_MIN_MS}"));
    }
    if settings.sweep_interval_ms == 0 {
        return Err("`sweep_interval_ms` must be at least 1".to_owned());
    }
    Ok(())
}

impl Settings {
    fn ttl(&self) -> Duration {
        Duration::from_millis(self.cart_ttl_ms)
    }
}

/// The service.
pub struct Cart;

impl Service for Cart {
    const NAME: &'static str = "cart";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        <http::Api as utoipa::OpenApi>::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let settings = city.settings.load();
        let data_dir = city.common.load().data_dir.clone();
        let kv = kv::open(&city.telemetry, &settings.store_url, &data_dir)
            .await
            .map_err(|error| cannot_start(&error))?;
        let metrics =
            Metrics::register(city.telemetry.registry()).map_err(|error| cannot_start(&error))?;
        let store = Store::new(&kv, &city.faults, metrics);

        let router = http::router(http::Desk {
            store: store.clone(),
            settings: city.settings.clone(),
        });
        let (ended, stopping) = (kv.ended(), city.stopping.clone());
        // Only opening the store again tells what a disk that failed has kept: the task ends, and
        // the service with it.
        let kept = async move {
            stopping.run_until_cancelled(ended).await;
        };
        let sweep = housekeeping::sweep(store, city.settings, city.stopping);
        Ok(Parts::router(router)
            .reaches("store", kv, async |kv| kv.ping().await)
            .task("store", kept)
            .task("sweep", sweep))
    }
}

fn cannot_start(error: &dyn Error) -> StartError {
    StartError::new(with_causes(error))
}

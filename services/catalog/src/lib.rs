//! Products and categories, and a search index of its own in each replica.
//!
//! The rows are the truth; listings and searches are answered from the index, a single product
//! from its row. It never knows stock, carts or orders.

mod domain;
mod http;
mod metrics;
mod search;
mod seed;
mod store;

use std::sync::Arc;
use std::time::Duration;

use app::{City, Parts, Service, StartError, with_causes};
use stores::sql::{self, Durability};

use metrics::Metrics;
use search::{Follower, Index};
use store::Store;

app::settings! {
    /// What the catalog can be told.
    pub struct Settings validated by validate {
        /// Where the rows are; a relative file lies in the data directory.
        boot store_url: String = "sqlite:catalog.db".into(),
        /// What the first products are made from: the same number makes the same products.
        boot seed: u64 = 1,
        /// How many products an empty store is filled with.
        boot seed_products: usize = 300,
        /// Products on a page when the request does not say.
        live page_size: usize = 20,
        /// Most products on a page.
        live page_size_max: usize = 100,
        /// Longest query, in characters; then 400.
        live query_max_chars: usize = 200,
        /// How often a replica looks for edits made by others, in milliseconds.
        live follow_interval_ms: u64 = 500,
    }
}

fn validate(settings: &Settings) -> Result<(), String> {
    if settings.page_size == 0 || settings.page_size_max == 0 {
        return Err("page_size and page_size_max must be at least 1".to_owned());
    }
    if settings.follow_interval_ms == 0 {
        return Err("follow_interval_ms must be at least 1".to_owned());
    }
    Ok(())
}

/// The service.
pub struct Catalog;

impl Service for Catalog {
    const NAME: &'static str = "catalog";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        <http::Api as utoipa::OpenApi>::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let settings = city.settings.load();
        let data_dir = city.common.load().data_dir.clone();
        let rows = sql::open(
            &city.telemetry,
            &settings.store_url,
            &data_dir,
            &store::MIGRATIONS,
            Durability::Normal,
        )
        .await
        .map_err(|error| cannot_start(&error))?;
        let store = Store::new(rows);
        if settings.seed_products > 0
            && store
                .is_untouched()
                .await
                .map_err(|error| cannot_start(&error))?
        {
            let products = seed::products(settings.seed, settings.seed_products);
            let filled = store
                .fill(&products)
                .await
                .map_err(|error| cannot_start(&error))?;
            tracing::info!(products = products.len(), filled, "store was empty");
        }

        let metrics =
            Metrics::register(city.telemetry.registry()).map_err(|error| cannot_start(&error))?;
        let index = Arc::new(Index::new().map_err(|error| cannot_start(&error))?);
        let follower = Arc::new(Follower::new(index, store.clone(), metrics.clone()));
        follower
            .catch_up()
            .await
            .map_err(|error| cannot_start(&error))?;
        follower
            .rest()
            .await
            .map_err(|error| cannot_start(&error))?;

        let router = http::router(http::Desk {
            store: store.clone(),
            follower: Arc::clone(&follower),
            metrics,
            settings: city.settings.clone(),
        });
        let (live, stopping) = (city.settings, city.stopping);
        let follow = async move {
            let interval = || Duration::from_millis(live.load().follow_interval_ms);
            stopping.run_until_cancelled(follower.run(interval)).await;
        };
        let ready = move || {
            let store = store.clone();
            async move { store.ping().await.map_err(|error| with_causes(&error)) }
        };
        Ok(Parts::router(router)
            .ready("store", ready)
            .task("follow", follow))
    }
}

fn cannot_start(error: &dyn std::error::Error) -> StartError {
    StartError::new(with_causes(error))
}

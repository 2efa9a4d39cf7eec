//! Products and categories, and a search index of its own in each replica.
//!
//! The rows are the truth; listings and searches are answered from the index, a single product
//! from its row. Every change of a row is published with it, and by that the other replicas'
//! indexes learn of it as well. Of stock it knows only what inventory tells, and only whether there
//! is any; it never knows carts or orders.

mod domain;
mod events;
mod http;
mod metrics;
mod points;
mod search;
mod seed;
mod store;
mod views;

use std::sync::Arc;
use std::time::Duration;

use ::events::Events;
use app::{City, Parts, Service, StartError, with_causes};
use calls::edges::CATALOG_INVENTORY_FEED;
use stores::sql::{self, Durability};

use self::events::FromInventory;
use metrics::Metrics;
use points::Points;
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
        /// Looks of members at products that wait to be published; what is more is not told of.
        boot views_buffer: usize = 1_024,
        /// How long looks wait for others with which to share a commit, in milliseconds.
        live views_flush_ms: u64 = 100,
    }
}

fn validate(settings: &Settings) -> Result<(), String> {
    if settings.page_size == 0 || settings.page_size_max == 0 {
        return Err("page_size and page_size_max must be at least 1".to_owned());
    }
    if settings.views_buffer == 0 || settings.views_flush_ms == 0 {
        return Err("views_buffer and views_flush_ms must be at least 1".to_owned());
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
        let events = Events::open(&city, &rows)
            .await
            .map_err(|error| cannot_start(&error))?;
        let outbox = events.outbox();
        let store = Store::new(rows, outbox.clone(), Points::new(&city.faults));
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
        // Before the rows are read: what is told of later is read from the outbox.
        let head = outbox.head().await.map_err(|error| cannot_start(&error))?;
        follower
            .catch_up()
            .await
            .map_err(|error| cannot_start(&error))?;
        follower
            .rest()
            .await
            .map_err(|error| cannot_start(&error))?;

        let (views, publisher) = views::buffer(
            settings.views_buffer,
            store.clone(),
            metrics.clone(),
            city.telemetry,
        );
        let router = http::router(http::Desk {
            store: store.clone(),
            follower: Arc::clone(&follower),
            views,
            metrics,
            settings: city.settings.clone(),
        });
        let events = events
            .feed_for(&["recommendations"])
            .consume(&CATALOG_INVENTORY_FEED, FromInventory(store.clone()));
        let (live, stopping) = (city.settings, city.stopping);
        let interval = move || Duration::from_millis(live.load().views_flush_ms);
        let publish = publisher.run(interval, stopping.clone());
        let follow = async move {
            stopping
                .run_until_cancelled(follower.run(outbox, head))
                .await;
        };
        Ok(events
            .into_parts(router)
            .reaches("store", store, async |store| store.ping().await)
            .task("follow", follow)
            .task("views", publish))
    }
}

fn cannot_start(error: &dyn std::error::Error) -> StartError {
    StartError::new(with_causes(error))
}

//! Notifications: what members are told about what happens in the city.
//!
//! It asks nobody: all that it knows came with events, and each event's notification is a row
//! written with the cursor, so that it is told once however often the event comes. The sending is
//! another matter: it happens aside, at least once, and nothing waits for it. An address is for the
//! mail server alone; no log, no span and no metric has one.

mod domain;
mod error;
mod events;
mod gauges;
mod http;
mod metrics;
mod points;
mod post;
mod sender;
mod settings;
mod store;

pub use settings::Settings;

use std::sync::Arc;

use ::events::Events;
use app::{City, Parts, Service, StartError, with_causes};
use calls::edges;
use stores::sql::{self, Durability};
use utoipa::OpenApi as _;

use events::{OfOrders, OfPayments, OfShipping, OfUsers};
use metrics::Metrics;
use points::Points;
use post::Post;
use sender::Sender;
use store::Store;

/// The service.
pub struct Notifications;

impl Service for Notifications {
    const NAME: &'static str = "notifications";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        http::Api::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let settings = city.settings.load();
        let sender = Sender::new(&settings).map_err(StartError::new)?;
        let metrics = Metrics::register(city.telemetry.registry()).map_err(StartError::new)?;
        let sql = sql::open(
            &city.telemetry,
            &settings.store_url,
            &city.common.load().data_dir,
            &store::MIGRATIONS,
            // Events can be read again: what the machine's power takes comes back with them.
            Durability::Normal,
        )
        .await
        .map_err(|error| StartError::new(with_causes(&error)))?;
        let events = Events::open(&city, &sql)
            .await
            .map_err(|error| StartError::new(with_causes(&error)))?;
        let store = Store::new(sql, metrics.clone());
        let events = events
            .consume(&edges::NOTIFICATIONS_ORDERS_FEED, OfOrders(store.clone()))
            .consume(
                &edges::NOTIFICATIONS_PAYMENTS_FEED,
                OfPayments(store.clone()),
            )
            .consume(
                &edges::NOTIFICATIONS_SHIPPING_FEED,
                OfShipping(store.clone()),
            )
            .consume(&edges::NOTIFICATIONS_USERS_FEED, OfUsers(store.clone()));
        let router = http::router(http::Desk {
            store: store.clone(),
            settings: city.settings.clone(),
        });
        let post = Post {
            store: store.clone(),
            sender: Arc::new(sender),
            points: Points::new(&city.faults),
            metrics: metrics.clone(),
            settings: city.settings,
            telemetry: city.telemetry,
            stopping: city.stopping.clone(),
        };
        let (gauges, stopping) = (gauges::run(store.clone(), metrics), city.stopping);
        Ok(events
            .into_parts(router)
            .reaches("store", store, async |store| store.ping().await)
            .task("post", post.run())
            .task("gauges", async move {
                stopping.run_until_cancelled(gauges).await;
            }))
    }
}

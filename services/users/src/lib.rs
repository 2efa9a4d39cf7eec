//! Members: who they are, how they prove it, and the keys that vouch for them.
//!
//! Sign-up, log-in and refresh end in an access token that every other service verifies by itself
//! with the public keys published here; none of them ever asks this service about a token. What
//! is secret stays inside: a password is kept as its argon2id hash, a refresh token as its
//! SHA-256, a signing key in this service's own store, and none is ever logged.

mod domain;
mod error;
mod events;
mod first_admin;
mod housekeeping;
mod http;
mod keys;
mod metrics;
mod passwords;
mod publish;
mod settings;
mod store;

pub use settings::Settings;

use std::sync::Arc;

use ::events::Events;
use app::{City, Parts, Service, StartError, with_causes};
use stores::sql::{self, Durability};
use utoipa::OpenApi as _;

use events::UserRegistered;
use keys::Keys;
use metrics::Metrics;
use passwords::Passwords;
use store::Store;

/// The service that knows the members.
pub struct Users;

impl Service for Users {
    const NAME: &'static str = "users";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        http::Api::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let settings = city.settings.load();
        let metrics = Metrics::register(city.telemetry.registry()).map_err(StartError::new)?;
        let sql = sql::open(
            &city.telemetry,
            &settings.store_url,
            &city.common.load().data_dir,
            &sqlx::migrate!(),
            Durability::Normal,
        )
        .await
        .map_err(|error| cannot("the store cannot be opened", &error))?;
        let events = Events::open(&city, &sql)
            .await
            .map_err(|error| cannot("the events cannot be opened", &error))?
            .publishes::<UserRegistered<'_>>()
            .feed_for(&["notifications"]);
        let store = Store::new(sql, events.outbox(), &city.faults);
        let passwords = Arc::new(Passwords::new(
            settings.hash_concurrency,
            metrics.passwords(),
        ));
        first_admin::ensure(&store, &passwords, &settings)
            .await
            .map_err(|error| cannot("the first admin cannot be made", &error))?;
        let keys = Keys::open(store.clone(), &city)
            .await
            .map_err(|error| cannot("the signing keys cannot be read", &error))?;
        if let Some(registry) = &city.registry {
            publish::first(&keys, registry).await;
        }

        let state = http::Users {
            store: store.clone(),
            keys: Arc::clone(&keys),
            passwords,
            settings: city.settings.clone(),
            metrics,
        };
        let mut parts = events
            .into_parts(http::router(state))
            .reaches("store", store.clone(), async |store| store.ping().await)
            .task(
                "keys",
                keys::turn_over(Arc::clone(&keys), city.stopping.clone()),
            )
            .task("sweep", housekeeping::sweep(store, city.stopping.clone()));
        if let Some(registry) = city.registry.clone() {
            parts = parts.task(
                "publish",
                publish::keep_published(keys, registry, city.stopping),
            );
        }
        Ok(parts)
    }
}

fn cannot(what: &str, error: &dyn std::error::Error) -> StartError {
    StartError::new(format!("{what}: {}", with_causes(error)))
}

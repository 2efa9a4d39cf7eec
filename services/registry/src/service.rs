//! The registry as a value: settings in, router and background tasks out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use app::{City, Parts, StartError};
use identity::Jwks;
use serde_json::Value;
use stores::sql::Durability;

use crate::directory::Directory;
use crate::documents::{Documents, Keys};
use crate::domain::{Expect, Limits, Name, SERVICE_KEYS};
use crate::http::{self, Context, Watchers};
use crate::metrics;
use crate::store::Store;

app::settings! {
    /// What the registry can be told.
    pub struct Settings validated by check {
        /// Where configuration documents are kept. A relative SQLite file lies in `data_dir`.
        boot store_url: String = "sqlite:registry.db".into(),
        /// How long a lease holds without a heartbeat, in milliseconds: 200 to 60000. Instances
        /// send three in that time.
        boot lease_ttl_ms: u64 = 5_000,
        /// How long an instance that lapsed stays among the targets of Prometheus, in
        /// milliseconds.
        boot lapsed_retention_ms: u64 = 600_000,
        /// JSON Web Key Set with the services' public keys, to be served as document
        /// `jwks.services`. Empty: that document is what it was.
        boot service_keys: PathBuf = PathBuf::new(),
        /// Most services that can be registered.
        boot max_services: usize = 64,
        /// Most instances that a service can have.
        boot max_instances_per_service: usize = 256,
        /// Most watches (event streams) at a time; then 503.
        live max_watches: usize = 2_048,
        /// Versions of a document that are kept.
        live document_history: u32 = 50,
    }
}

fn check(settings: &Settings) -> Result<(), String> {
    if !(200..=60_000).contains(&settings.lease_ttl_ms) {
        return Err("`lease_ttl_ms` must be 200 to 60000".to_owned());
    }
    if settings.document_history == 0 {
        return Err("`document_history` must be at least 1".to_owned());
    }
    Ok(())
}

/// The service.
pub struct Registry;

impl app::Service for Registry {
    const NAME: &'static str = "registry";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const LISTEN: &'static str = "127.0.0.1:8500";
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        http::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let settings = city.settings.load();
        let keys = Keys {
            members: city.member_keys.clone(),
            services: city.service_keys.clone(),
        };
        let store = open(&city).await?;
        let documents = Documents::open(store, keys, city.settings.clone())
            .await
            .map_err(StartError::new)?;
        let documents = Arc::new(documents);
        seed_service_keys(&documents, &settings.service_keys).await?;

        let directory = Arc::new(Directory::new(Limits {
            ttl: Duration::from_millis(settings.lease_ttl_ms),
            lapsed_retention: Duration::from_millis(settings.lapsed_retention_ms),
            services: settings.max_services,
            instances_per_service: settings.max_instances_per_service,
        }));
        let watchers = Arc::new(Watchers::new(city.settings.clone()));
        metrics::register(city.telemetry.registry(), &directory, &watchers)
            .map_err(StartError::new)?;

        let pass_time = directory.clone().pass_time(city.stopping.clone());
        let asked = documents.clone();
        let context = Context {
            directory,
            documents,
            watchers,
            stopping: city.stopping,
        };
        Ok(Parts::router(http::router(context))
            .task("leases", pass_time)
            .reaches("store", asked, async |documents| documents.ping().await))
    }
}

async fn open(city: &City<Settings>) -> Result<Store, StartError> {
    static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();
    let url = &city.settings.load().store_url;
    let data_dir = &city.common.load().data_dir;
    let sql = stores::sql::open(
        &city.telemetry,
        url,
        data_dir,
        &MIGRATIONS,
        Durability::Full,
    );
    Ok(Store::new(sql.await.map_err(StartError::new)?))
}

/// The keys that came with this start are the ones in force, whatever the store remembers.
async fn seed_service_keys(documents: &Documents, path: &Path) -> Result<(), StartError> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    let told = |error: &dyn std::fmt::Display| {
        StartError::new(format!("`service_keys` {}: {error}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
    serde_json::from_str::<Jwks>(&text).map_err(|error| told(&error))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| told(&error))?;
    let name = Name::parse(SERVICE_KEYS).map_err(|error| told(&error))?;
    let author = "registry".to_owned();
    documents
        .put(name, value, Expect::Any, author)
        .await
        .map_err(|error| told(&error))?;
    Ok(())
}

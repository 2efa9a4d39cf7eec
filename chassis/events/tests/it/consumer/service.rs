//! A service whose handling of events a test decides on.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use app::{City, Parts, Service, StartError, with_causes};
use calls::edges::{Edge, Retry};
use events::{Event, Events, Failure, Handler};
use serde::Deserialize;
use stores::sql::{self, Durability, Sql, Transaction};
use tokio::sync::Semaphore;

pub(crate) const EDGE: Edge = Edge {
    caller: "example",
    callee: "orders",
    operation: "feed",
    deadline: std::time::Duration::from_secs(20),
    retry: Retry::None,
    fallback: "read later",
};

/// What an event of these tests says.
pub(crate) const COUNTED: &str = "orders.Counted.v1";

static TABLES: sqlx::migrate::Migrator = sqlx::migrate!("tests/it/consumer/tables");

/// What the handler says to an event, before it has its effect.
type Opinion = dyn Fn(&Event) -> Result<(), Failure> + Send + Sync;

/// What a test tells the instances of its service, by name.
#[derive(Clone)]
pub(crate) struct Script(Arc<Told>);

struct Told {
    opinion: Mutex<Arc<Opinion>>,
    /// Each event takes one.
    passes: Semaphore,
    /// How many events were handled together, each time.
    together: Mutex<Vec<usize>>,
}

static SCRIPTS: LazyLock<Mutex<BTreeMap<String, Script>>> = LazyLock::new(Mutex::default);

impl Script {
    pub(crate) fn named(name: &str) -> Self {
        let mut scripts = SCRIPTS.lock().unwrap();
        let script = scripts.entry(name.to_owned());
        let script = script.or_insert_with(|| {
            let opinion: Arc<Opinion> = Arc::new(|_| Ok(()));
            Self(Arc::new(Told {
                opinion: Mutex::new(opinion),
                passes: Semaphore::new(Semaphore::MAX_PERMITS / 2),
                together: Mutex::default(),
            }))
        });
        script.clone()
    }

    /// What the handler says from now on.
    pub(crate) fn says(
        &self,
        opinion: impl Fn(&Event) -> Result<(), Failure> + Send + Sync + 'static,
    ) {
        *self.0.opinion.lock().unwrap() = Arc::new(opinion);
    }

    /// Nothing has an effect any more, until [`go`](Self::go).
    pub(crate) fn stop(&self) {
        self.0.passes.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn go(&self) {
        self.0.passes.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// How many events were handled together, each time, done or undone.
    pub(crate) fn together(&self) -> Vec<usize> {
        self.0.together.lock().unwrap().clone()
    }

    async fn hear(&self, event: &Event) -> Result<(), Failure> {
        self.0.passes.acquire().await.unwrap().forget();
        let opinion = Arc::clone(&self.0.opinion.lock().unwrap());
        opinion(event)
    }
}

app::settings! {
    /// What a test can tell it.
    pub(crate) struct Settings {
        /// Name of its script.
        boot script: String = String::new(),
        /// Whether it can begin anew.
        boot rebuilds: bool = false,
    }
}

pub(crate) struct Example;

impl Service for Example {
    const NAME: &'static str = "example";
    const VERSION: &'static str = "1.2.3";
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        <events::EventsApi as utoipa::OpenApi>::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let failed = |error: &dyn std::error::Error| StartError::new(with_causes(error));
        let data_dir = city.common.load().data_dir.clone();
        let opened = sql::open(
            &city.telemetry,
            "sqlite:example.db",
            &data_dir,
            &TABLES,
            Durability::Normal,
        );
        let sql = opened.await.map_err(|error| failed(&error))?;
        let settings = city.settings.load();
        let counter = Counter {
            sql: sql.clone(),
            script: Script::named(&settings.script),
            rebuilds: settings.rebuilds,
        };
        let events = Events::open(&city, &sql).await;
        let events = events.map_err(|error| failed(&error))?;
        Ok(events
            .consume(&EDGE, counter)
            .into_parts(axum::Router::new()))
    }
}

struct Counter {
    sql: Sql,
    script: Script,
    rebuilds: bool,
}

#[derive(Deserialize)]
struct Counted {
    n: i64,
}

impl Handler for Counter {
    const TYPES: &'static [&'static str] = &[COUNTED];
    const IN_BULK: bool = true;

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let counted: Counted = event.data()?;
        // Undone if the script says no.
        let insert = sqlx::query("INSERT INTO effects (event_id, subject, n) VALUES ($1, $2, $3)")
            .bind(&event.id)
            .bind(&event.subject)
            .bind(counted.n)
            .execute(&mut **tx);
        self.sql.run("INSERT", "effects", insert).await?;
        self.script.hear(event).await
    }

    async fn handle_all(&self, events: &[&Event], tx: &mut Transaction) -> Result<(), Failure> {
        self.script.0.together.lock().unwrap().push(events.len());
        for event in events {
            self.handle(event, tx).await?;
        }
        Ok(())
    }

    async fn reset(&self, tx: &mut Transaction) -> Result<(), Failure> {
        if !self.rebuilds {
            return Err(Failure::Event("it counts for ever".to_owned()));
        }
        let delete = sqlx::query("DELETE FROM effects").execute(&mut **tx);
        self.sql.run("DELETE", "effects", delete).await?;
        Ok(())
    }
}

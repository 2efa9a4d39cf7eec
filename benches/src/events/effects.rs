//! The consumer's side: a row an event, and when it was committed.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use ::events::{Event, Events, Failure, Handler};
use app::extract::Json;
use app::{City, Parts, Service, StartError, Timestamp};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use stores::sql::{self, Durability, Transaction};
use utoipa::OpenApi as _;

use super::producer::CONFIRMED;

app::settings! {
    /// What it can be told.
    pub(crate) struct Settings {
        /// Where the effects are.
        boot store_url: String = "sqlite:effects.db".into(),
    }
}

pub(crate) struct Effects;

#[derive(utoipa::OpenApi)]
#[openapi()]
struct Api;

/// Subjects whose effect was committed, and when, in microseconds since 1970.
type Seen = Arc<Mutex<Vec<(String, i64)>>>;

impl Service for Effects {
    // An edge from it to orders is in the city's table.
    const NAME: &'static str = "shipping";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        Api::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let sql = sql::open(
            &city.telemetry,
            &city.settings.load().store_url,
            &city.common.load().data_dir,
            &sqlx::migrate!("src/events/effects"),
            Durability::Normal,
        )
        .await
        .map_err(StartError::new)?;
        let seen = Seen::default();
        let events = Events::open(&city, &sql).await.map_err(StartError::new)?;
        let events = events.consume(&calls::edges::SHIPPING_ORDERS_FEED, Note(Arc::clone(&seen)));
        let router = Router::new()
            .route("/effects", get(effects))
            .with_state(seen);
        Ok(events.into_parts(router))
    }
}

struct Note(Seen);

impl Handler for Note {
    const TYPES: &'static [&'static str] = &[CONFIRMED];

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let insert = sqlx::query("INSERT INTO effects (subject, position) VALUES ($1, $2)")
            .bind(event.subject.clone())
            .bind(event.position)
            .execute(&mut **tx);
        insert
            .await
            .map_err(|error| Failure::Later(error.to_string()))?;
        let (seen, subject) = (Arc::clone(&self.0), event.subject.clone());
        tx.on_commit(move || {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push((subject, Timestamp::now().micros()));
        });
        Ok(())
    }
}

async fn effects(State(seen): State<Seen>) -> Json<Vec<(String, i64)>> {
    Json(seen.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Runs as a process of its own.
pub(crate) fn serve() -> ExitCode {
    app::main::<Effects>()
}

//! Statements as calls of the database: metrics always, and a span within a request.

use std::future::Future;

use sqlx::AnyPool;
use sqlx::error::DatabaseError;
use telemetry::Telemetry;
use telemetry::database::{Database, Pool, PoolState};

use super::Dialect;

/// Names, attributes and metrics follow the OpenTelemetry conventions for database clients. A
/// statement's summary is `{operation} {collection}`; its text is left out.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    database: Database,
    pool: Pool,
}

impl Calls {
    /// `name` is the store's, unique within the service.
    pub(super) fn new(telemetry: &Telemetry, dialect: Dialect, name: &str, pool: &AnyPool) -> Self {
        let database = telemetry.database(dialect.system());
        // A background poll must not start a trace each time.
        let database = database.namespace(name).within_traces_only();
        let connections = pool.clone();
        let pool = database.pool(name, move || state(&connections));
        Self { database, pool }
    }

    /// Awaits one statement.
    pub(super) async fn observe<T, F>(
        &self,
        operation: &'static str,
        collection: &'static str,
        statement: F,
    ) -> Result<T, sqlx::Error>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let call = self.database.operation(operation).collection(collection);
        let call = call.summarised().start();
        // It is not run within the span: a statement has no children that would miss it.
        let outcome = statement.await;
        let Err(error) = &outcome else {
            call.finish();
            return outcome;
        };
        let code = error.as_database_error().and_then(DatabaseError::code);
        match code {
            Some(code) => call.fail_with_code(&code),
            None => call.fail(self.kind_of(error)),
        }
        outcome
    }

    fn kind_of(&self, error: &sqlx::Error) -> &'static str {
        match error {
            sqlx::Error::PoolTimedOut => {
                self.pool.timed_out();
                "pool_timeout"
            }
            sqlx::Error::PoolClosed => "pool_closed",
            sqlx::Error::RowNotFound => "row_not_found",
            _ => "_OTHER",
        }
    }
}

fn state(pool: &AnyPool) -> PoolState {
    let size = u64::from(pool.size());
    // Counted by the pool in two steps, between which it is below zero.
    let idle = match pool.num_idle() as u64 {
        idle if idle > size => 0,
        idle => idle,
    };
    let options = pool.options();
    PoolState {
        idle,
        used: size - idle,
        max: Some(options.get_max_connections().into()),
        idle_min: Some(options.get_min_connections().into()),
        ..PoolState::default()
    }
}

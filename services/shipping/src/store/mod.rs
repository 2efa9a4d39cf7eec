//! The shipments, and the next move of each that is under way.

mod moves;
mod shipments;

use app::Timestamp;
use events::{Outbox, PublishError};
use faults::Injected;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use sqlx::migrate::Migrator;
use stores::sql::{Sql, StoreError};
use uuid::Uuid;

pub(crate) use moves::{Due, Lease};

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why a change was not made, or is not known to have been made, or a row was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreFailure {
    #[error("column {0} holds what no shipment may have")]
    Column(&'static str),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Injected(#[from] Injected),
}

impl From<sqlx::Error> for StoreFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

#[derive(Clone)]
pub(crate) struct Store {
    sql: Sql,
    outbox: Outbox,
}

impl Store {
    pub(crate) fn new(sql: Sql, outbox: Outbox) -> Self {
        Self { sql, outbox }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.sql.ping().await
    }
}

fn id(row: &AnyRow, column: &'static str) -> Result<Uuid, StoreFailure> {
    let text: String = row.try_get(column)?;
    Uuid::parse_str(&text).map_err(|_| StoreFailure::Column(column))
}

fn time(row: &AnyRow, column: &'static str) -> Result<Timestamp, StoreFailure> {
    Ok(Timestamp::from_micros(row.try_get(column)?))
}

fn maybe_time(row: &AnyRow, column: &'static str) -> Result<Option<Timestamp>, StoreFailure> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.map(Timestamp::from_micros))
}

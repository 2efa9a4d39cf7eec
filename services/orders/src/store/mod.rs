//! The orders' logs, the sagas that have not ended, and what was answered under which key.

mod answers;
mod orders;
mod parcels;
mod sagas;

use app::{Timestamp, with_causes};
use events::{Failure, Outbox, PublishError};
use faults::{Around, Injected};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use sqlx::migrate::Migrator;
use stores::sql::{Sql, StoreError, Transaction};
use uuid::Uuid;

pub(crate) use answers::{Answer, Asked, Kept};
pub(crate) use sagas::{Due, Lease};

use crate::domain::Recorded;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why a change was not made, or is not known to have been made, or a row was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreFailure {
    #[error("the key has been used")]
    KeyTaken,
    #[error("another driver has written the next event")]
    Fenced,
    #[error("there is no such order")]
    UnknownOrder,
    #[error("column {0} holds what no order may have")]
    Column(&'static str),
    #[error("an event cannot be read or written")]
    Event(#[from] serde_json::Error),
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

/// To whoever handles an event with this store.
impl From<StoreFailure> for Failure {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Store(error) => error.into(),
            failure @ (StoreFailure::Fenced
            | StoreFailure::Injected(_)
            | StoreFailure::Publish(_)) => Self::Later(with_causes(&failure)),
            failure => Self::Event(with_causes(&failure)),
        }
    }
}

#[derive(Debug, Clone)]
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

/// Commits between the two points.
async fn commit(tx: Transaction, at: &Around) -> Result<(), StoreFailure> {
    at.pass(async { Ok(tx.commit().await?) }).await
}

fn id(row: &AnyRow, column: &'static str) -> Result<Uuid, StoreFailure> {
    let text: String = row.try_get(column)?;
    Uuid::parse_str(&text).map_err(|_| StoreFailure::Column(column))
}

fn time(row: &AnyRow, column: &'static str) -> Result<Timestamp, StoreFailure> {
    Ok(Timestamp::from_micros(row.try_get(column)?))
}

fn recorded(row: &AnyRow) -> Result<Recorded, StoreFailure> {
    let event: String = row.try_get("event")?;
    Ok(Recorded {
        seq: row.try_get("seq")?,
        at: time(row, "at")?,
        event: serde_json::from_str(&event)?,
    })
}

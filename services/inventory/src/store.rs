//! The rows: the truth about stock. Each change is one transaction, so that units are counted
//! once wherever the process dies.

mod expiry;
mod reservations;
mod stock;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::events::{Outbox, PublishError};
use faults::Injected;
use stores::sql::{Sql, StoreError, Transaction};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::domain::State;
use crate::events::StockChanged;
use crate::metrics::Metrics;
use crate::points::{Commit, Points};

pub(crate) use expiry::Holds;
pub(crate) use reservations::Reserved;

/// Why a change was not made or a row not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Some of these products have too few units; nothing was held.
    #[error("products are out of stock")]
    OutOfStock(Vec<Uuid>),
    #[error("the order reserved other items before")]
    Differs,
    #[error("there is no such reservation")]
    Unknown,
    #[error("the reservation is confirmed")]
    Confirmed,
    #[error("the reservation is released")]
    Released,
    #[error("the reservation has expired")]
    Expired,
    #[error("column {0} holds what it never may")]
    Column(&'static str),
    #[error("items cannot be written as JSON")]
    Items(#[source] serde_json::Error),
    #[error("the units of a reservation are not in stock's books")]
    Books,
    #[error(transparent)]
    Injected(#[from] Injected),
    #[error("nobody could be told")]
    Publish(#[source] PublishError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Store(error) => Self::Store(error),
            error => Self::Publish(error),
        }
    }
}

/// Stock and reservations.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    sql: Sql,
    outbox: Outbox,
    initial_stock: i64,
    points: Points,
    metrics: Metrics,
    changed: Arc<Notify>,
}

impl Store {
    pub(crate) fn new(
        sql: Sql,
        outbox: Outbox,
        initial_stock: u32,
        points: Points,
        metrics: Metrics,
    ) -> Self {
        Self {
            sql,
            outbox,
            initial_stock: initial_stock.into(),
            points,
            metrics,
            changed: Arc::default(),
        }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.sql.ping().await
    }

    /// Waits until this instance has changed a reservation since the last wait.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Tells that so many of the product's units can be promised from now on.
    async fn tell(
        &self,
        tx: &mut Transaction,
        product_id: Uuid,
        on_hand: i64,
    ) -> Result<(), Failure> {
        let changed = StockChanged {
            product_id,
            on_hand,
        };
        let subject = product_id.to_string();
        Ok(self.outbox.publish(tx, &subject, &changed).await?)
    }

    /// Makes the changes durable; `entered` says which state how many reservations came into.
    async fn commit(
        &self,
        tx: Transaction,
        at: &Commit,
        entered: Option<(State, usize)>,
    ) -> Result<(), Failure> {
        at.before.pass().await?;
        tx.commit().await?;
        if let Some((state, reservations)) = entered {
            self.metrics.entered(state, reservations);
            self.changed.notify_one();
        }
        at.after.pass().await?;
        Ok(())
    }
}

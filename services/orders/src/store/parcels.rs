//! Logs that go on with the parcel, after the saga has ended.

use stores::sql::Transaction;
use uuid::Uuid;

use super::orders::numbered;
use super::{Store, StoreFailure, recorded};
use crate::domain::{Event, Recorded};

impl Store {
    /// An order's whole log as a transaction sees it; empty if there is no such order.
    pub(crate) async fn log_within(
        &self,
        tx: &mut Transaction,
        order: Uuid,
    ) -> Result<Vec<Recorded>, StoreFailure> {
        let all = sqlx::query("SELECT * FROM order_events WHERE order_id = $1 ORDER BY seq")
            .bind(order.to_string())
            .fetch_all(&mut **tx);
        let rows = self.sql.run("SELECT", "order_events", all).await?;
        rows.iter().map(recorded).collect()
    }

    /// Adds an event behind `log`.
    pub(crate) async fn follow(
        &self,
        tx: &mut Transaction,
        order: Uuid,
        log: &[Recorded],
        event: Event,
    ) -> Result<(), StoreFailure> {
        for event in numbered(log, vec![event]) {
            self.add(tx, order, &event).await?;
        }
        Ok(())
    }
}

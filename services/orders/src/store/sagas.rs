//! Sagas that have not ended: who drives each, and until when.

use app::Timestamp;
use faults::Around;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use stores::sql::Transaction;
use uuid::Uuid;

use super::orders::numbered;
use super::{Answer, Store, StoreFailure, commit, id};
use crate::domain::{Event, Order, Recorded};
use crate::events::{OrderCancelled, OrderConfirmed};

/// Who drives a saga, and until when nobody else may.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub owner: String,
    pub until: Timestamp,
}

/// A saga that was due, and is now the caller's.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub order: Uuid,
    /// Whether another had it, and let its lease lapse.
    pub adopted: bool,
    pub attempts: u32,
    pub trace: String,
    pub driven_by: String,
}

/// What became of events that are in the log now.
#[derive(Debug)]
pub(crate) struct Appended {
    pub events: Vec<Recorded>,
    /// Whether the saga is still the writer's, or has ended.
    pub held: bool,
}

/// The sagas that have not ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overview {
    pub unfinished: i64,
    pub oldest: Option<Timestamp>,
    /// When the next may be taken.
    pub next_due: Option<Timestamp>,
}

impl Store {
    pub(super) async fn begin_saga(
        &self,
        tx: &mut Transaction,
        order: Uuid,
        started: Timestamp,
        lease: &Lease,
        trace: &str,
    ) -> Result<(), StoreFailure> {
        let insert = sqlx::query(
            "INSERT INTO sagas (order_id, owner, due_at, attempts, started_at, trace, driven_by) \
             VALUES ($1, $2, $3, 0, $4, $5, $5)",
        )
        .bind(order.to_string())
        .bind(&lease.owner)
        .bind(lease.until.micros())
        .bind(started.micros())
        .bind(trace)
        .execute(&mut **tx);
        self.sql.run("INSERT", "sagas", insert).await?;
        Ok(())
    }

    /// Adds events behind `log`, and extends the lease; with the last event the saga ends, its
    /// answer is kept if none was given, and the city is told.
    ///
    /// The log alone is the fence: what is true is written even by a driver whose saga another
    /// has taken meanwhile, as long as that one has not written it first.
    pub(crate) async fn append(
        &self,
        order: Uuid,
        log: &[Recorded],
        events: Vec<Event>,
        lease: &Lease,
        at: &Around,
    ) -> Result<Appended, StoreFailure> {
        let events = numbered(log, events);
        let mut tx = self.sql.begin_write().await?;
        for event in &events {
            self.add(&mut tx, order, event).await?;
        }
        let ends = events.last().is_some_and(|last| last.event.is_last());
        let held = if ends {
            let whole: Vec<_> = log.iter().chain(&events).cloned().collect();
            let ended = Order::of(order, &whole).ok_or(StoreFailure::UnknownOrder)?;
            self.give(&mut tx, &Answer::of(&ended)?).await?;
            self.end_saga(&mut tx, order).await?;
            self.tell(&mut tx, &ended).await?;
            true
        } else {
            let extend = sqlx::query(
                "UPDATE sagas SET due_at = $1, attempts = 0 WHERE order_id = $2 AND owner = $3",
            )
            .bind(lease.until.micros())
            .bind(order.to_string())
            .bind(&lease.owner)
            .execute(&mut *tx);
            let extended = self.sql.run("UPDATE", "sagas", extend).await?;
            extended.rows_affected() == 1
        };
        commit(tx, at).await?;
        Ok(Appended { events, held })
    }

    async fn tell(&self, tx: &mut Transaction, ended: &Order) -> Result<(), StoreFailure> {
        let subject = ended.id.to_string();
        match ended.reason {
            Some(reason) => {
                let body = OrderCancelled::of(ended, reason);
                self.outbox.publish(tx, &subject, &body).await?;
            }
            None => {
                let body = OrderConfirmed::of(ended);
                self.outbox.publish(tx, &subject, &body).await?;
            }
        }
        Ok(())
    }

    async fn end_saga(&self, tx: &mut Transaction, order: Uuid) -> Result<(), StoreFailure> {
        let delete = sqlx::query("DELETE FROM sagas WHERE order_id = $1")
            .bind(order.to_string())
            .execute(&mut **tx);
        self.sql.run("DELETE", "sagas", delete).await?;
        Ok(())
    }

    /// Extends a lease; false if the saga is another's now, or has ended.
    pub(crate) async fn renew(
        &self,
        order: Uuid,
        lease: &Lease,
        at: &Around,
    ) -> Result<bool, StoreFailure> {
        at.pass(async {
            let update =
                sqlx::query("UPDATE sagas SET due_at = $1 WHERE order_id = $2 AND owner = $3")
                    .bind(lease.until.micros())
                    .bind(order.to_string())
                    .bind(&lease.owner)
                    .execute(self.sql.pool());
            let updated = self.sql.run("UPDATE", "sagas", update).await?;
            Ok(updated.rows_affected() == 1)
        })
        .await
    }

    /// Sets a saga aside until `due`, for whoever comes first then.
    pub(crate) async fn park(
        &self,
        order: Uuid,
        owner: &str,
        due: Timestamp,
        attempts: u32,
        at: &Around,
    ) -> Result<(), StoreFailure> {
        at.pass(async {
            let update = sqlx::query(
                "UPDATE sagas SET owner = NULL, due_at = $1, attempts = $2 \
                 WHERE order_id = $3 AND owner = $4",
            )
            .bind(due.micros())
            .bind(i64::from(attempts))
            .bind(order.to_string())
            .bind(owner)
            .execute(self.sql.pool());
            self.sql.run("UPDATE", "sagas", update).await?;
            Ok(())
        })
        .await
    }

    /// Takes up to `limit` sagas that are due, the longest due first.
    pub(crate) async fn take_due(
        &self,
        limit: usize,
        now: Timestamp,
        lease: &Lease,
        at: &Around,
    ) -> Result<Vec<Due>, StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        let due = sqlx::query("SELECT * FROM sagas WHERE due_at <= $1 ORDER BY due_at LIMIT $2")
            .bind(now.micros())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *tx);
        let rows = self.sql.run("SELECT", "sagas", due).await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in &rows {
            let due = read_due(row)?;
            let take = sqlx::query(
                "UPDATE sagas SET owner = $1, due_at = $2 WHERE order_id = $3 AND due_at <= $4",
            )
            .bind(&lease.owner)
            .bind(lease.until.micros())
            .bind(due.order.to_string())
            .bind(now.micros())
            .execute(&mut *tx);
            let update = self.sql.run("UPDATE", "sagas", take).await?;
            if update.rows_affected() == 1 {
                taken.push(due);
            }
        }
        commit(tx, at).await?;
        Ok(taken)
    }

    /// Notes the span that drives a saga from now on, for whoever resumes it next.
    pub(crate) async fn driven_by(&self, order: Uuid, span: &str) -> Result<(), StoreFailure> {
        let update = sqlx::query("UPDATE sagas SET driven_by = $1 WHERE order_id = $2")
            .bind(span)
            .bind(order.to_string())
            .execute(self.sql.pool());
        self.sql.run("UPDATE", "sagas", update).await?;
        Ok(())
    }

    pub(crate) async fn overview(&self) -> Result<Overview, StoreFailure> {
        let one = sqlx::query(
            "SELECT COUNT(*) AS unfinished, MIN(started_at) AS oldest, MIN(due_at) AS next_due \
             FROM sagas",
        )
        .fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "sagas", one).await?;
        let moment = |column| {
            let micros: Option<i64> = row.try_get(column)?;
            Ok::<_, StoreFailure>(micros.map(Timestamp::from_micros))
        };
        Ok(Overview {
            unfinished: row.try_get("unfinished")?,
            oldest: moment("oldest")?,
            next_due: moment("next_due")?,
        })
    }
}

fn read_due(row: &AnyRow) -> Result<Due, StoreFailure> {
    let attempts: i64 = row.try_get("attempts")?;
    let owner: Option<String> = row.try_get("owner")?;
    Ok(Due {
        order: id(row, "order_id")?,
        adopted: owner.is_some(),
        attempts: u32::try_from(attempts).map_err(|_| StoreFailure::Column("attempts"))?,
        trace: row.try_get("trace")?,
        driven_by: row.try_get("driven_by")?,
    })
}

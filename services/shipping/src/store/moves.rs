//! Moves that are to be made: who makes each, and when.

use app::Timestamp;
use faults::Around;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use stores::sql::{StoreError, Transaction};
use uuid::Uuid;

use super::shipments::state;
use super::{Store, StoreFailure, id, maybe_time, time};
use crate::domain::Move;
use crate::events::{ShipmentDelivered, ShipmentDispatched};

/// Who makes a move, and until when nobody else may.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub owner: String,
    pub until: Timestamp,
}

/// A move that was due, and is now the caller's.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub shipment: Uuid,
    pub order: Uuid,
    pub member: String,
    pub step: Move,
    /// Whether another had it, and let its lease lapse.
    pub adopted: bool,
    /// When it was to be made.
    pub planned: Timestamp,
    pub trace: String,
    pub moved_by: String,
}

/// What is under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overview {
    pub shipments: i64,
    /// When the first of them was made.
    pub oldest: Option<Timestamp>,
    /// When the next move may be made.
    pub next_due: Option<Timestamp>,
}

impl Store {
    pub(super) async fn plan_first(
        &self,
        tx: &mut Transaction,
        shipment: Uuid,
        due: Timestamp,
        trace: &str,
    ) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO moves (shipment_id, owner, due_at, planned_at, trace, moved_by) \
             VALUES ($1, NULL, $2, $2, $3, $3)",
        )
        .bind(shipment.to_string())
        .bind(due.micros())
        .bind(trace)
        .execute(&mut **tx);
        self.sql.run("INSERT", "moves", insert).await.map(drop)
    }

    pub(crate) async fn overview(&self) -> Result<Overview, StoreFailure> {
        let one = sqlx::query(
            "SELECT COUNT(*) AS shipments, MIN(s.created_at) AS oldest, \
             MIN(m.due_at) AS next_due FROM moves m JOIN shipments s ON s.id = m.shipment_id",
        )
        .fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "moves", one).await?;
        Ok(Overview {
            shipments: row.try_get("shipments")?,
            oldest: maybe_time(&row, "oldest")?,
            next_due: maybe_time(&row, "next_due")?,
        })
    }

    /// Takes up to `limit` moves that are due, the longest due first.
    pub(crate) async fn take_due(
        &self,
        limit: usize,
        now: Timestamp,
        lease: &Lease,
        at: &Around,
    ) -> Result<Vec<Due>, StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        let due = sqlx::query(
            "SELECT m.shipment_id, m.owner, m.planned_at, m.trace, m.moved_by, s.order_id, \
             s.member_id, s.state FROM moves m JOIN shipments s ON s.id = m.shipment_id \
             WHERE m.due_at <= $1 ORDER BY m.due_at LIMIT $2",
        )
        .bind(now.micros())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *tx);
        let rows = self.sql.run("SELECT", "moves", due).await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in &rows {
            let due = read_due(row)?;
            let take = sqlx::query(
                "UPDATE moves SET owner = $1, due_at = $2 WHERE shipment_id = $3 AND due_at <= $4",
            )
            .bind(&lease.owner)
            .bind(lease.until.micros())
            .bind(due.shipment.to_string())
            .bind(now.micros())
            .execute(&mut *tx);
            let update = self.sql.run("UPDATE", "moves", take).await?;
            if update.rows_affected() == 1 {
                taken.push(due);
            }
        }
        at.pass(async { Ok::<_, StoreFailure>(tx.commit().await?) })
            .await?;
        Ok(taken)
    }

    /// Makes a move: the shipment is where it leads, the city is told, and the next move is planned
    /// for `next`. False if somebody else has made it.
    ///
    /// The shipment's state alone is the fence: of two that make the same move one finds it made.
    pub(crate) async fn make(
        &self,
        due: &Due,
        now: Timestamp,
        next: Timestamp,
        moved_by: &str,
        at: &Around,
    ) -> Result<bool, StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        let update = match due.step {
            Move::Dispatch => sqlx::query(
                "UPDATE shipments SET state = 'dispatched', dispatched_at = $1 \
                 WHERE id = $2 AND state = 'preparing'",
            ),
            Move::Deliver => sqlx::query(
                "UPDATE shipments SET state = 'delivered', delivered_at = $1 \
                 WHERE id = $2 AND state = 'dispatched'",
            ),
        };
        let update = update
            .bind(now.micros())
            .bind(due.shipment.to_string())
            .execute(&mut *tx);
        let updated = self.sql.run("UPDATE", "shipments", update).await?;
        if updated.rows_affected() == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        let subject = due.order.to_string();
        match due.step {
            Move::Dispatch => {
                let body = ShipmentDispatched::of(due, now);
                self.outbox.publish(&mut tx, &subject, &body).await?;
                let plan = sqlx::query(
                    "UPDATE moves SET owner = NULL, due_at = $1, planned_at = $1, moved_by = $2 \
                     WHERE shipment_id = $3",
                )
                .bind(next.micros())
                .bind(moved_by)
                .bind(due.shipment.to_string())
                .execute(&mut *tx);
                self.sql.run("UPDATE", "moves", plan).await?;
            }
            Move::Deliver => {
                let body = ShipmentDelivered::of(due, now);
                self.outbox.publish(&mut tx, &subject, &body).await?;
                let end = sqlx::query("DELETE FROM moves WHERE shipment_id = $1")
                    .bind(due.shipment.to_string())
                    .execute(&mut *tx);
                self.sql.run("DELETE", "moves", end).await?;
            }
        }
        at.pass(async { Ok::<_, StoreFailure>(tx.commit().await?) })
            .await?;
        Ok(true)
    }

    /// Gives a lease's moves that were not made to whoever comes first.
    pub(crate) async fn let_go(
        &self,
        owner: &str,
        now: Timestamp,
        at: &Around,
    ) -> Result<(), StoreFailure> {
        at.pass(async {
            let update = sqlx::query("UPDATE moves SET owner = NULL, due_at = $1 WHERE owner = $2")
                .bind(now.micros())
                .bind(owner)
                .execute(self.sql.pool());
            self.sql.run("UPDATE", "moves", update).await?;
            Ok(())
        })
        .await
    }
}

fn read_due(row: &AnyRow) -> Result<Due, StoreFailure> {
    let owner: Option<String> = row.try_get("owner")?;
    Ok(Due {
        shipment: id(row, "shipment_id")?,
        order: id(row, "order_id")?,
        member: row.try_get("member_id")?,
        // The row of a shipment that is under way no more goes with its last move.
        step: state(row)?.next().ok_or(StoreFailure::Column("state"))?,
        adopted: owner.is_some(),
        planned: time(row, "planned_at")?,
        trace: row.try_get("trace")?,
        moved_by: row.try_get("moved_by")?,
    })
}

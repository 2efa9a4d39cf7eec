//! Shipments, written and read.

use app::Timestamp;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use stores::sql::{StoreError, Transaction};
use uuid::Uuid;

use super::{Store, StoreFailure, id, maybe_time, time};
use crate::domain::{Shipment, State};
use crate::events::OrderConfirmed;

impl Store {
    /// Writes down the shipment of a confirmed order and its first move, unless the order has one;
    /// says whether it did.
    pub(crate) async fn prepare(
        &self,
        tx: &mut Transaction,
        order: &OrderConfirmed,
        now: Timestamp,
        due: Timestamp,
        trace: &str,
    ) -> Result<bool, StoreError> {
        let shipment = Uuid::now_v7();
        let insert = sqlx::query(
            "INSERT INTO shipments (id, order_id, member_id, state, created_at) \
             VALUES ($1, $2, $3, 'preparing', $4) ON CONFLICT (order_id) DO NOTHING",
        )
        .bind(shipment.to_string())
        .bind(order.order_id.to_string())
        .bind(&order.member_id)
        .bind(now.micros())
        .execute(&mut **tx);
        let inserted = self.sql.run("INSERT", "shipments", insert).await?;
        if inserted.rows_affected() == 0 {
            return Ok(false);
        }
        self.plan_first(tx, shipment, due, trace).await?;
        Ok(true)
    }

    /// The shipment of an order.
    pub(crate) async fn of_order(&self, order: Uuid) -> Result<Option<Shipment>, StoreFailure> {
        let one = sqlx::query("SELECT * FROM shipments WHERE order_id = $1")
            .bind(order.to_string())
            .fetch_optional(self.sql.pool());
        let row = self.sql.run("SELECT", "shipments", one).await?;
        row.as_ref().map(shipment).transpose()
    }

    /// Shipments made before the shipment `before`, newest first.
    pub(crate) async fn all(
        &self,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Shipment>, StoreFailure> {
        let page = sqlx::query("SELECT * FROM shipments WHERE id < $1 ORDER BY id DESC LIMIT $2")
            .bind(before.unwrap_or(Uuid::max()).to_string())
            .bind(limit)
            .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "shipments", page).await?;
        rows.iter().map(shipment).collect()
    }
}

fn shipment(row: &AnyRow) -> Result<Shipment, StoreFailure> {
    Ok(Shipment {
        id: id(row, "id")?,
        order_id: id(row, "order_id")?,
        member_id: row.try_get("member_id")?,
        state: state(row)?,
        created_at: time(row, "created_at")?,
        dispatched_at: maybe_time(row, "dispatched_at")?,
        delivered_at: maybe_time(row, "delivered_at")?,
    })
}

pub(super) fn state(row: &AnyRow) -> Result<State, StoreFailure> {
    let label: String = row.try_get("state")?;
    State::of(&label).ok_or(StoreFailure::Column("state"))
}

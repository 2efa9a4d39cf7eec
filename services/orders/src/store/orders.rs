//! Logs, written and read.

use app::Timestamp;
use faults::Around;
use sqlx::any::AnyRow;
use stores::sql::{ResultExt as _, Transaction};
use uuid::Uuid;

use super::{Asked, Lease, Store, StoreFailure, commit, id, recorded};
use crate::domain::{Event, Order, Recorded};

impl Store {
    /// Writes an order down with its saga, which `lease` gives to its writer, and with the key
    /// under which it was asked for.
    pub(crate) async fn place(
        &self,
        order: Uuid,
        placed: &Recorded,
        asked: &Asked,
        lease: &Lease,
        trace: &str,
        at: &Around,
    ) -> Result<(), StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        let insert = sqlx::query("INSERT INTO orders (id, member_id) VALUES ($1, $2)")
            .bind(order.to_string())
            .bind(&asked.member_id)
            .execute(&mut *tx);
        self.sql.run("INSERT", "orders", insert).await?;
        self.take_key(&mut tx, order, asked, placed.at).await?;
        self.add(&mut tx, order, placed).await?;
        self.begin_saga(&mut tx, order, placed.at, lease, trace)
            .await?;
        commit(tx, at).await
    }

    pub(super) async fn add(
        &self,
        tx: &mut Transaction,
        order: Uuid,
        recorded: &Recorded,
    ) -> Result<(), StoreFailure> {
        let insert = sqlx::query(
            "INSERT INTO order_events (order_id, seq, at, event) VALUES ($1, $2, $3, $4)",
        )
        .bind(order.to_string())
        .bind(recorded.seq)
        .bind(recorded.at.micros())
        .bind(serde_json::to_string::<Event>(&recorded.event)?)
        .execute(&mut **tx);
        self.sql
            .run("INSERT", "order_events", insert)
            .await
            .map(drop)
            .on_constraint("order_events_pkey", || StoreFailure::Fenced)
    }

    /// An order's whole log; empty if there is no such order.
    pub(crate) async fn log(&self, order: Uuid) -> Result<Vec<Recorded>, StoreFailure> {
        let all = sqlx::query("SELECT * FROM order_events WHERE order_id = $1 ORDER BY seq")
            .bind(order.to_string())
            .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "order_events", all).await?;
        rows.iter().map(recorded).collect()
    }

    /// Orders of one member placed before the order `before`, newest first.
    pub(crate) async fn orders_of(
        &self,
        member: &str,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Order>, StoreFailure> {
        let page = sqlx::query(
            "SELECT e.order_id, e.seq, e.at, e.event FROM order_events e JOIN (SELECT id FROM \
             orders WHERE member_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3) page \
             ON page.id = e.order_id ORDER BY e.order_id DESC, e.seq",
        )
        .bind(member)
        .bind(before.unwrap_or(Uuid::max()).to_string())
        .bind(limit)
        .fetch_all(self.sql.pool());
        orders(&self.sql.run("SELECT", "order_events", page).await?)
    }

    /// Orders of all members placed before the order `before`, newest first.
    pub(crate) async fn all_orders(
        &self,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Order>, StoreFailure> {
        let page = sqlx::query(
            "SELECT e.order_id, e.seq, e.at, e.event FROM order_events e JOIN (SELECT id FROM \
             orders WHERE id < $1 ORDER BY id DESC LIMIT $2) page \
             ON page.id = e.order_id ORDER BY e.order_id DESC, e.seq",
        )
        .bind(before.unwrap_or(Uuid::max()).to_string())
        .bind(limit)
        .fetch_all(self.sql.pool());
        orders(&self.sql.run("SELECT", "order_events", page).await?)
    }
}

/// Folds rows that are grouped by order.
fn orders(rows: &[AnyRow]) -> Result<Vec<Order>, StoreFailure> {
    let mut logs: Vec<(Uuid, Vec<Recorded>)> = Vec::new();
    for row in rows {
        let (order, event) = (id(row, "order_id")?, recorded(row)?);
        match logs.last_mut() {
            Some((last, log)) if *last == order => log.push(event),
            _ => logs.push((order, vec![event])),
        }
    }
    logs.iter()
        .map(|(order, log)| Order::of(*order, log).ok_or(StoreFailure::Column("event")))
        .collect()
}

/// The next events of a log, numbered.
pub(super) fn numbered(log: &[Recorded], events: Vec<Event>) -> Vec<Recorded> {
    let last = log.last().map_or(0, |recorded| recorded.seq);
    let at = Timestamp::now();
    (last + 1..)
        .zip(events)
        .map(|(seq, event)| Recorded { seq, at, event })
        .collect()
}

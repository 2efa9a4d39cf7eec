//! The life of a reservation: held, then confirmed, released or expired, and then for good. Each
//! step may be asked for again, and in any order.

use std::time::Duration;

use app::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};
use stores::sql::Transaction;
use uuid::Uuid;

use super::stock::Move;
use super::{Failure, Store};
use crate::domain::{Items, Reservation, State};
use crate::points::Commit;

/// What a request to reserve came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reserved {
    /// The units are held from now on.
    New(Reservation),
    /// The same was reserved before; this is what became of it.
    Again(Reservation),
}

impl Store {
    /// Holds all the items for the order, or none, until `ttl` from `now`.
    pub(crate) async fn reserve(
        &self,
        order_id: Uuid,
        items: Items,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Reserved, Failure> {
        let mut tx = self.sql.begin_write().await?;
        if let Some(mut known) = self.reservation(&mut tx, order_id).await? {
            if known.state == State::Released {
                tx.rollback().await?;
                return Err(Failure::Released);
            }
            if known.items != items {
                tx.rollback().await?;
                return Err(Failure::Differs);
            }
            if known.is_overdue(now) {
                self.settle(tx, &mut known, State::Expired, &self.points.reserve)
                    .await?;
            } else {
                tx.rollback().await?;
            }
            return Ok(Reserved::Again(known));
        }

        let (mut short, mut left) = (Vec::new(), Vec::new());
        for item in items.iter() {
            match self.hold(&mut tx, item).await? {
                Some(on_hand) => left.push((item.product_id, on_hand)),
                None => short.push(item.product_id),
            }
        }
        if !short.is_empty() {
            tx.rollback().await?;
            return Err(Failure::OutOfStock(short));
        }
        for (product_id, on_hand) in left {
            self.tell(&mut tx, product_id, on_hand).await?;
        }
        let held = Reservation {
            order_id,
            state: State::Held,
            items,
            expires_at: Some(now.plus(ttl)),
        };
        self.insert(&mut tx, &held).await?;
        self.commit(tx, &self.points.reserve, Some((State::Held, 1)))
            .await?;
        Ok(Reserved::New(held))
    }

    /// Sells what is held for the order.
    pub(crate) async fn confirm(
        &self,
        order_id: Uuid,
        now: Timestamp,
    ) -> Result<Reservation, Failure> {
        let mut tx = self.sql.begin_write().await?;
        let point = &self.points.confirm;
        let known = self.reservation(&mut tx, order_id).await?;
        let refusal = match known {
            None => Failure::Unknown,
            Some(mut overdue) if overdue.is_overdue(now) => {
                self.settle(tx, &mut overdue, State::Expired, point).await?;
                return Err(Failure::Expired);
            }
            Some(mut known) => match known.state {
                State::Held => {
                    self.settle(tx, &mut known, State::Confirmed, point).await?;
                    return Ok(known);
                }
                State::Confirmed => {
                    tx.rollback().await?;
                    return Ok(known);
                }
                State::Released => Failure::Released,
                State::Expired => Failure::Expired,
            },
        };
        tx.rollback().await?;
        Err(refusal)
    }

    /// Gives back what is held for the order, and sees to it that nothing is held for it later:
    /// a reservation that was sent before and comes after is refused.
    pub(crate) async fn release(&self, order_id: Uuid) -> Result<Reservation, Failure> {
        let mut tx = self.sql.begin_write().await?;
        let point = &self.points.release;
        let Some(mut known) = self.reservation(&mut tx, order_id).await? else {
            let tombstone = Reservation {
                order_id,
                state: State::Released,
                items: Items::NONE,
                expires_at: None,
            };
            self.insert(&mut tx, &tombstone).await?;
            self.commit(tx, point, Some((State::Released, 1))).await?;
            return Ok(tombstone);
        };
        match known.state {
            State::Held | State::Expired => {
                self.settle(tx, &mut known, State::Released, point).await?;
                Ok(known)
            }
            State::Released => {
                tx.rollback().await?;
                Ok(known)
            }
            State::Confirmed => {
                tx.rollback().await?;
                Err(Failure::Confirmed)
            }
        }
    }

    /// Reservations of orders after `after`, by ascending id.
    pub(crate) async fn reservations_after(
        &self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Reservation>, Failure> {
        let some = sqlx::query(
            "SELECT order_id, state, items, expires_at FROM reservations \
             WHERE order_id > $1 ORDER BY order_id LIMIT $2",
        )
        .bind(after.map_or(String::new(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "reservations", some).await?;
        rows.iter().map(read).collect()
    }

    async fn reservation(
        &self,
        tx: &mut AnyConnection,
        order_id: Uuid,
    ) -> Result<Option<Reservation>, Failure> {
        let one = sqlx::query(
            "SELECT order_id, state, items, expires_at FROM reservations WHERE order_id = $1",
        )
        .bind(order_id.to_string())
        .fetch_optional(tx);
        let row = self.sql.run("SELECT", "reservations", one).await?;
        row.as_ref().map(read).transpose()
    }

    /// Brings a reservation into a state that it never leaves for `held`, and its units along.
    async fn settle(
        &self,
        mut tx: Transaction,
        reservation: &mut Reservation,
        to: State,
        point: &Commit,
    ) -> Result<(), Failure> {
        // Units that expired are on the shelf already.
        if reservation.state == State::Held {
            for item in reservation.items.iter() {
                let (product_id, units) = (item.product_id, item.quantity.into());
                if to == State::Confirmed {
                    let sold = self.shift(&mut tx, product_id, Move::Sell, units).await?;
                    sold.ok_or(Failure::Books)?;
                } else {
                    self.give_back(&mut tx, product_id, units).await?;
                }
            }
        }
        self.mark(&mut tx, reservation.order_id, to).await?;
        self.commit(tx, point, Some((to, 1))).await?;
        reservation.state = to;
        Ok(())
    }

    pub(super) async fn mark(
        &self,
        tx: &mut AnyConnection,
        order_id: Uuid,
        to: State,
    ) -> Result<(), Failure> {
        let update = sqlx::query("UPDATE reservations SET state = $1 WHERE order_id = $2")
            .bind(to.name())
            .bind(order_id.to_string())
            .execute(tx);
        self.sql.run("UPDATE", "reservations", update).await?;
        Ok(())
    }

    async fn insert(
        &self,
        tx: &mut AnyConnection,
        reservation: &Reservation,
    ) -> Result<(), Failure> {
        let items = serde_json::to_string(&reservation.items).map_err(Failure::Items)?;
        let insert = sqlx::query(
            "INSERT INTO reservations (order_id, state, items, expires_at) \
             VALUES ($1, $2, $3, $4)",
        )
        .bind(reservation.order_id.to_string())
        .bind(reservation.state.name())
        .bind(items)
        .bind(reservation.expires_at.map(Timestamp::micros))
        .execute(tx);
        self.sql.run("INSERT", "reservations", insert).await?;
        Ok(())
    }
}

pub(super) fn read(row: &AnyRow) -> Result<Reservation, Failure> {
    let order_id: String = row.try_get("order_id")?;
    let state: String = row.try_get("state")?;
    let items: String = row.try_get("items")?;
    let expires_at: Option<i64> = row.try_get("expires_at")?;
    Ok(Reservation {
        order_id: order_id.parse().map_err(|_| Failure::Column("order_id"))?,
        state: State::from_name(&state).ok_or(Failure::Column("state"))?,
        items: Items::from_kept(&items).map_err(|_| Failure::Column("items"))?,
        expires_at: expires_at.map(Timestamp::from_micros),
    })
}

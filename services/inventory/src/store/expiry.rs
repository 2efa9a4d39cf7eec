//! Giving back what was held for too long.

use std::collections::BTreeMap;

use app::Timestamp;
use sqlx::Row as _;

use super::{Failure, Store, reservations};
use crate::domain::State;

/// Reservations given back in one transaction; bounds how long other writers wait.
const BATCH: i64 = 100;

/// What is held now, by all instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holds {
    pub reservations: i64,
    pub units: i64,
}

impl Store {
    /// Gives back everything that is overdue at `now`; says of how many reservations. Another
    /// instance may do the same at the same time: each reservation is given back by one.
    pub(crate) async fn expire(&self, now: Timestamp) -> Result<usize, Failure> {
        let mut expired = 0;
        // A read first: the write lock is for those who have something to write.
        while self.next_expiry().await?.is_some_and(|at| at <= now) {
            expired += self.expire_batch(now).await?;
        }
        Ok(expired)
    }

    /// When the first of the reservations that are held now expires.
    pub(crate) async fn next_expiry(&self) -> Result<Option<Timestamp>, Failure> {
        let first =
            sqlx::query("SELECT MIN(expires_at) AS first FROM reservations WHERE state = 'held'")
                .fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "reservations", first).await?;
        let first: Option<i64> = row.try_get("first")?;
        Ok(first.map(Timestamp::from_micros))
    }

    /// How much is held.
    pub(crate) async fn holds(&self) -> Result<Holds, Failure> {
        let both = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM reservations WHERE state = 'held') AS reservations, \
             (SELECT CAST(COALESCE(SUM(held), 0) AS BIGINT) FROM stock WHERE held > 0) AS units",
        )
        .fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "reservations", both).await?;
        Ok(Holds {
            reservations: row.try_get("reservations")?,
            units: row.try_get("units")?,
        })
    }

    async fn expire_batch(&self, now: Timestamp) -> Result<usize, Failure> {
        let mut tx = self.sql.begin_write().await?;
        let some = sqlx::query(
            "SELECT order_id, state, items, expires_at FROM reservations \
             WHERE state = 'held' AND expires_at <= $1 ORDER BY expires_at, order_id LIMIT $2",
        )
        .bind(now.micros())
        .bind(BATCH)
        .fetch_all(&mut *tx);
        let rows = self.sql.run("SELECT", "reservations", some).await?;
        let overdue: Vec<_> = rows
            .iter()
            .map(reservations::read)
            .collect::<Result<_, _>>()?;
        if overdue.is_empty() {
            tx.rollback().await?;
            return Ok(0);
        }
        // Each product once, by ascending id, as everyone takes them.
        let mut units = BTreeMap::<_, i64>::new();
        for item in overdue.iter().flat_map(|overdue| overdue.items.iter()) {
            *units.entry(item.product_id).or_default() += i64::from(item.quantity);
        }
        for (product_id, units) in units {
            self.give_back(&mut tx, product_id, units).await?;
        }
        for overdue in &overdue {
            self.mark(&mut tx, overdue.order_id, State::Expired).await?;
        }
        let entered = Some((State::Expired, overdue.len()));
        self.commit(tx, &self.points.expire, entered).await?;
        Ok(overdue.len())
    }
}

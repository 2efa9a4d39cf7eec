//! How far a service has come in a feed: every statement about `event_cursors`.
//!
//! The row is the fence of the feed: whatever has an effect moves the cursor from where it was read
//! to be, or holds its row, in the transaction of that effect. Of two instances that handle the same
//! event one finds the cursor elsewhere, and undoes what it did. The lease only saves the work.

use std::time::Duration;

use app::Timestamp;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use stores::sql::{Sql, StoreError, Transaction};

use super::Interrupted;
use crate::Event;

/// How long an instance follows a feed without a word before another takes over.
pub(super) const LEASE: Duration = Duration::from_millis(1_800);

/// A feed's row.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    pub(super) position: i64,
    pub(super) event_id: Option<String>,
    pub(super) head: i64,
    pub(super) behind_since: Option<Timestamp>,
    pub(super) stalled: Option<String>,
    pub(super) lease_until: Timestamp,
}

/// The rows of one feed, for one instance.
#[derive(Clone, Debug)]
pub(super) struct Cursors {
    pub(super) sql: Sql,
    pub(super) feed: &'static str,
    /// This instance.
    pub(super) owner: String,
}

impl Cursors {
    /// The row is there; before the first event if it was not.
    pub(super) async fn born(&self) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO event_cursors (feed, position, lease_until, head) VALUES ($1, 0, 0, 0) \
             ON CONFLICT (feed) DO NOTHING",
        )
        .bind(self.feed)
        .execute(self.sql.pool());
        self.sql.run("INSERT", "event_cursors", insert).await?;
        Ok(())
    }

    pub(super) async fn read(&self) -> Result<Option<Cursor>, StoreError> {
        let one = sqlx::query("SELECT * FROM event_cursors WHERE feed = $1")
            .bind(self.feed)
            .fetch_optional(self.sql.pool());
        let row = self.sql.run("SELECT", "event_cursors", one).await?;
        Ok(row.as_ref().map(cursor).transpose()?)
    }

    /// Takes or extends the lease, and says where the cursor is; none if another has it.
    pub(super) async fn take(&self) -> Result<Option<Cursor>, StoreError> {
        let now = Timestamp::now();
        let take = sqlx::query(
            "UPDATE event_cursors SET lease_owner = $1, lease_until = $2 \
             WHERE feed = $3 AND (lease_owner = $1 OR lease_until <= $4) RETURNING *",
        )
        .bind(&self.owner)
        .bind(now.plus(LEASE).micros())
        .bind(self.feed)
        .bind(now.micros())
        .fetch_optional(self.sql.pool());
        let row = self.sql.run("UPDATE", "event_cursors", take).await?;
        Ok(row.as_ref().map(cursor).transpose()?)
    }

    /// Keeps what is known of the feed's end for the other instances, as far as it has changed.
    pub(super) async fn tell(
        &self,
        head: i64,
        behind_since: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE event_cursors SET head = $1, behind_since = $2 \
             WHERE feed = $3 AND lease_owner = $4",
        )
        .bind(head)
        .bind(behind_since.map(Timestamp::micros))
        .bind(self.feed)
        .bind(&self.owner)
        .execute(self.sql.pool());
        self.sql.run("UPDATE", "event_cursors", update).await?;
        Ok(())
    }

    /// Leaves the feed to whoever comes first.
    pub(super) async fn release(&self) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE event_cursors SET lease_until = 0 WHERE feed = $1 AND lease_owner = $2",
        )
        .bind(self.feed)
        .bind(&self.owner)
        .execute(self.sql.pool());
        self.sql.run("UPDATE", "event_cursors", update).await?;
        Ok(())
    }

    /// Moves the cursor behind `to`, if it is where this instance left it.
    pub(super) async fn advance(
        &self,
        tx: &mut Transaction,
        from: i64,
        to: &Event,
    ) -> Result<(), Interrupted> {
        let until = Timestamp::now().plus(LEASE).micros();
        let update = sqlx::query(
            "UPDATE event_cursors SET position = $1, event_id = $2, \
             lease_until = CASE WHEN lease_owner = $3 THEN $4 ELSE lease_until END \
             WHERE feed = $5 AND position = $6",
        )
        .bind(to.position)
        .bind(&to.id)
        .bind(&self.owner)
        .bind(until)
        .bind(self.feed)
        .bind(from)
        .execute(&mut **tx);
        let updated = self.sql.run("UPDATE", "event_cursors", update).await?;
        fenced(updated.rows_affected())
    }

    /// Holds the cursor where it is until the transaction ends, so that nothing is parked meanwhile.
    pub(super) async fn hold(&self, tx: &mut Transaction, at: i64) -> Result<(), Interrupted> {
        let update = sqlx::query(
            "UPDATE event_cursors SET position = position WHERE feed = $1 AND position = $2",
        )
        .bind(self.feed)
        .bind(at)
        .execute(&mut **tx);
        let updated = self.sql.run("UPDATE", "event_cursors", update).await?;
        fenced(updated.rows_affected())
    }

    /// Holds the cursor wherever it is until the transaction ends.
    pub(super) async fn lock(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        let update = sqlx::query("UPDATE event_cursors SET position = position WHERE feed = $1")
            .bind(self.feed)
            .execute(&mut **tx);
        self.sql.run("UPDATE", "event_cursors", update).await?;
        Ok(())
    }

    /// Begins anew, in somebody's transaction.
    pub(super) async fn rewind(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE event_cursors SET position = 0, event_id = NULL, behind_since = NULL, \
             stalled = NULL WHERE feed = $1",
        )
        .bind(self.feed)
        .execute(&mut **tx);
        self.sql.run("UPDATE", "event_cursors", update).await?;
        Ok(())
    }

    /// Writes down why the feed cannot be followed from where the cursor is.
    pub(super) async fn stall(&self, at: i64, why: &str) -> Result<(), Interrupted> {
        let update =
            sqlx::query("UPDATE event_cursors SET stalled = $1 WHERE feed = $2 AND position = $3")
                .bind(why)
                .bind(self.feed)
                .bind(at)
                .execute(self.sql.pool());
        let updated = self.sql.run("UPDATE", "event_cursors", update).await?;
        fenced(updated.rows_affected())
    }
}

fn fenced(rows: u64) -> Result<(), Interrupted> {
    if rows == 1 {
        return Ok(());
    }
    Err(Interrupted::Fenced)
}

fn cursor(row: &AnyRow) -> Result<Cursor, sqlx::Error> {
    let behind_since: Option<i64> = row.try_get("behind_since")?;
    let lease_until: i64 = row.try_get("lease_until")?;
    Ok(Cursor {
        position: row.try_get("position")?,
        event_id: row.try_get("event_id")?,
        head: row.try_get("head")?,
        behind_since: behind_since.map(Timestamp::from_micros),
        stalled: row.try_get("stalled")?,
        lease_until: Timestamp::from_micros(lease_until),
    })
}

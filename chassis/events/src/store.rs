//! The outbox's rows: every statement about them.

use app::Timestamp;
use faults::Around;
use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use sqlx::migrate::Migrator;
use stores::sql::{Sql, StoreError, Transaction};

use crate::event::source;
use crate::{Event, Position};

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");
/// Where it is kept which of them were applied.
pub(crate) const MIGRATION_TABLE: &str = "_events_migrations";

/// Most rows that one transaction numbers or takes away: other writers wait no longer.
pub(crate) const CHUNK: i64 = 1_000;

/// About what an event takes in a batch beside its body, its subject and its trace's state.
const ENVELOPE: usize = 512;

/// Most bytes that are read at a time: an answer of which [`calls::MAX_ANSWER`] has room for.
const BATCH_BYTES: i64 = 1_000_000;

/// A row that is to be.
pub(crate) struct NewEvent<'a> {
    pub(crate) id: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) time: Timestamp,
    pub(crate) data: String,
    pub(crate) traceparent: Option<String>,
    pub(crate) tracestate: Option<String>,
}

/// How far the feed is.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) position: i64,
    bytes: i64,
    pub(crate) truncated_position: i64,
    pub(crate) truncated_id: Option<String>,
}

/// Events without a position.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waiting {
    pub(crate) events: i64,
    pub(crate) oldest: Option<Timestamp>,
}

/// Why the store did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Injected(#[from] faults::Injected),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Store {
    sql: Sql,
    service: &'static str,
}

impl Store {
    pub(crate) fn new(sql: Sql, service: &'static str) -> Self {
        Self { sql, service }
    }

    /// Writes a row in somebody's transaction.
    pub(crate) async fn insert(
        &self,
        tx: &mut Transaction,
        event: NewEvent<'_>,
    ) -> Result<(), StoreError> {
        let state = event.tracestate.as_ref().map_or(0, String::len);
        let bytes = event.data.len() + event.subject.len() + state + ENVELOPE;
        let insert = sqlx::query(
            "INSERT INTO outbox \
             (id, subject, version, type, time, data, traceparent, tracestate, bytes) \
             SELECT $1, $2, COALESCE(MAX(version), 0) + 1, $3, $4, $5, $6, $7, $8 \
             FROM outbox WHERE subject = $2",
        )
        .bind(event.id)
        .bind(event.subject)
        .bind(event.kind)
        .bind(event.time.micros())
        .bind(event.data)
        .bind(event.traceparent)
        .bind(event.tracestate)
        .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
        .execute(&mut **tx);
        self.sql.run("INSERT", "outbox", insert).await.map(drop)
    }

    /// How far the feed is, and what has no position yet: in one look, as it is often made.
    pub(crate) async fn look(&self) -> Result<(Head, Waiting), StoreError> {
        let look = sqlx::query(
            "SELECT *, \
             (SELECT COUNT(*) FROM outbox WHERE position IS NULL) AS events, \
             (SELECT MIN(time) FROM outbox WHERE position IS NULL) AS oldest FROM feed_head",
        )
        .fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "feed_head", look).await?;
        let oldest: Option<i64> = row.try_get("oldest")?;
        let waiting = Waiting {
            events: row.try_get("events")?,
            oldest: oldest.map(Timestamp::from_micros),
        };
        Ok((head(&row)?, waiting))
    }

    pub(crate) async fn head(&self) -> Result<Head, StoreError> {
        let one = sqlx::query("SELECT * FROM feed_head").fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "feed_head", one).await?;
        Ok(head(&row)?)
    }

    /// Gives committed rows their positions, a chunk of them at most; how many it were, and how
    /// far the feed is then.
    pub(crate) async fn number(&self, around: &Around) -> Result<(u64, i64), Failed> {
        let mut tx = self.sql.begin_write().await?;
        let head = self.hold_head(&mut tx).await?;
        let number = sqlx::query(
            "UPDATE outbox SET position = numbered.position, bytes_end = numbered.bytes_end \
             FROM (SELECT id, $1 + ROW_NUMBER() OVER (ORDER BY subject, version) AS position, \
             $2 + CAST(SUM(bytes) OVER (ORDER BY subject, version) AS BIGINT) AS bytes_end \
             FROM outbox WHERE position IS NULL ORDER BY subject, version LIMIT $3) AS numbered \
             WHERE outbox.id = numbered.id",
        )
        .bind(head.position)
        .bind(head.bytes)
        .bind(CHUNK)
        .execute(&mut *tx);
        let numbered = self.sql.run("UPDATE", "outbox", number).await?;
        let numbered = numbered.rows_affected();
        if numbered == 0 {
            tx.rollback().await?;
            return Ok((0, head.position));
        }
        let position = head.position + i64::try_from(numbered).unwrap_or(CHUNK);
        let advance = sqlx::query(
            "UPDATE feed_head SET position = $1, \
             bytes = (SELECT bytes_end FROM outbox WHERE position = $1)",
        )
        .bind(position)
        .execute(&mut *tx);
        self.sql.run("UPDATE", "feed_head", advance).await?;
        self.commit(tx, around).await?;
        Ok((numbered, position))
    }

    /// Rows behind a position, in their order: so many at most, and no more than an answer has room
    /// for, though one there always is.
    pub(crate) async fn after(
        &self,
        position: i64,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let some = sqlx::query(
            "SELECT id, position, subject, type, time, data, traceparent, tracestate FROM outbox \
             WHERE position > $1 AND position <= $2 AND bytes_end <= $3 + \
             (SELECT bytes_end - bytes FROM outbox WHERE position > $1 ORDER BY position LIMIT 1) \
             ORDER BY position",
        )
        .bind(position)
        // Positions have no gaps.
        .bind(position.saturating_add(i64::try_from(limit).unwrap_or(i64::MAX)))
        .bind(BATCH_BYTES)
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "outbox", some).await?;
        let events = rows.iter().map(|row| event(self.service, row));
        Ok(events.collect::<Result<_, _>>()?)
    }

    /// Where the event with this id stands, if it is kept and numbered.
    pub(crate) async fn position_of(&self, id: &str) -> Result<Option<Position>, StoreError> {
        let one = sqlx::query("SELECT position FROM outbox WHERE id = $1 AND position IS NOT NULL")
            .bind(id)
            .fetch_optional(self.sql.pool());
        let row = self.sql.run("SELECT", "outbox", one).await?;
        let position = row.map(|row| row.try_get("position")).transpose()?;
        Ok(position.map(Position::new))
    }

    /// Takes away the oldest numbered rows that are older than `before`, or that `most_bytes` have
    /// no room for; a chunk at most. How many it were.
    pub(crate) async fn truncate(
        &self,
        before: Timestamp,
        most_bytes: i64,
        around: &Around,
    ) -> Result<usize, Failed> {
        let head = self.head().await?;
        let oldest = sqlx::query(
            "SELECT id, position, time, bytes_end FROM outbox WHERE position > $1 \
             ORDER BY position LIMIT $2",
        )
        .bind(head.truncated_position)
        .bind(CHUNK)
        .fetch_all(self.sql.pool());
        let oldest = self.sql.run("SELECT", "outbox", oldest).await?;
        let mut last: Option<(String, i64)> = None;
        let mut going = 0;
        for row in &oldest {
            let (time, end): (i64, i64) = (row.try_get("time")?, row.try_get("bytes_end")?);
            if time >= before.micros() && end > head.bytes - most_bytes {
                break;
            }
            last = Some((row.try_get("id")?, row.try_get("position")?));
            going += 1;
        }
        let Some((id, position)) = last else {
            return Ok(0);
        };
        let mut tx = self.sql.begin_write().await?;
        self.hold_head(&mut tx).await?;
        let delete = sqlx::query("DELETE FROM outbox WHERE position <= $1")
            .bind(position)
            .execute(&mut *tx);
        self.sql.run("DELETE", "outbox", delete).await?;
        // Another instance may have taken more already.
        let boundary = sqlx::query(
            "UPDATE feed_head SET truncated_position = $1, truncated_id = $2 \
             WHERE truncated_position < $1",
        )
        .bind(position)
        .bind(id)
        .execute(&mut *tx);
        self.sql.run("UPDATE", "feed_head", boundary).await?;
        self.commit(tx, around).await?;
        Ok(going)
    }

    /// The head's row, held until the transaction ends: of several who number one does.
    async fn hold_head(&self, tx: &mut Transaction) -> Result<Head, StoreError> {
        let hold = sqlx::query("UPDATE feed_head SET position = position RETURNING *")
            .fetch_one(&mut **tx);
        let row = self.sql.run("UPDATE", "feed_head", hold).await?;
        Ok(head(&row)?)
    }

    async fn commit(&self, tx: Transaction, around: &Around) -> Result<(), Failed> {
        around.pass(async { Ok(tx.commit().await?) }).await
    }
}

fn head(row: &AnyRow) -> Result<Head, sqlx::Error> {
    Ok(Head {
        position: row.try_get("position")?,
        bytes: row.try_get("bytes")?,
        truncated_position: row.try_get("truncated_position")?,
        truncated_id: row.try_get("truncated_id")?,
    })
}

fn event(service: &str, row: &AnyRow) -> Result<Event, sqlx::Error> {
    let data: String = row.try_get("data")?;
    let time: i64 = row.try_get("time")?;
    Ok(Event {
        id: row.try_get("id")?,
        kind: row.try_get("type")?,
        source: source(service),
        subject: row.try_get("subject")?,
        time: Timestamp::from_micros(time),
        position: row.try_get("position")?,
        traceparent: row.try_get("traceparent")?,
        tracestate: row.try_get("tracestate")?,
        data: RawValue::from_string(data).map_err(|error| sqlx::Error::Decode(error.into()))?,
    })
}

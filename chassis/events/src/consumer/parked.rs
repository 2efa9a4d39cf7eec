//! Events that failed, and those that wait behind them: every statement about `event_parked`.
//!
//! Of each subject at most one event, the first, is `retrying` or `dead`; the others are `waiting`.

use app::Timestamp;
use serde::{Serialize, Serializer};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use stores::sql::{Sql, StoreError, Transaction};
use utoipa::ToSchema;

use super::Interrupted;
use crate::Event;

/// What becomes of a parked event next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum State {
    /// It is tried again.
    Retrying,
    /// An earlier event of its subject has to be handled first.
    Waiting,
    /// It was tried often enough: an operator decides.
    Dead,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Retrying => "retrying",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
        }
    }

    fn read(text: &str) -> Result<Self, sqlx::Error> {
        [Self::Retrying, Self::Waiting, Self::Dead]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| sqlx::Error::Decode("not a state of a parked event".into()))
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A failed attempt at an event.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) state: State,
    pub(super) attempts: u32,
    pub(super) reason: String,
    pub(super) next_at: Timestamp,
}

/// An event that is to be tried again.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) event: Event,
    pub(super) attempts: u32,
    pub(super) next_at: Timestamp,
}

/// What an operator's wish is about.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) subject: String,
    pub(super) state: State,
}

/// How many events are parked, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) retrying: i64,
    pub(super) waiting: i64,
    pub(super) dead: i64,
}

impl Counts {
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }
}

/// An event that is no longer tried by itself, or is being retried, as operators see it.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) feed: String,
    pub(super) event: Event,
    pub(super) state: State,
    pub(super) attempts: u32,
    pub(super) reason: Option<String>,
    pub(super) first_failed_at: Option<Timestamp>,
    /// How many events wait behind it.
    pub(super) waiting: i64,
}

/// The rows of all feeds that the service follows.
#[derive(Clone, Debug)]
pub(super) struct Lot {
    pub(super) sql: Sql,
}

impl Lot {
    pub(super) async fn counts(&self, feed: &str) -> Result<Counts, StoreError> {
        let count = sqlx::query(
            "SELECT state, COUNT(*) AS events FROM event_parked WHERE feed = $1 GROUP BY state",
        )
        .bind(feed)
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "event_parked", count).await?;
        let mut counts = Counts::default();
        for row in &rows {
            let events = row.try_get("events")?;
            match State::read(row.try_get("state")?)? {
                State::Retrying => counts.retrying = events,
                State::Waiting => counts.waiting = events,
                State::Dead => counts.dead = events,
            }
        }
        Ok(counts)
    }

    /// Whether events of this subject are parked.
    pub(super) async fn blocks(
        &self,
        tx: &mut Transaction,
        feed: &str,
        subject: &str,
    ) -> Result<bool, StoreError> {
        let any =
            sqlx::query("SELECT 1 FROM event_parked WHERE feed = $1 AND subject = $2 LIMIT 1")
                .bind(feed)
                .bind(subject)
                .fetch_optional(&mut **tx);
        let row = self.sql.run("SELECT", "event_parked", any).await?;
        Ok(row.is_some())
    }

    /// Puts an event behind those of its subject, or with what came of it aside.
    pub(super) async fn add(
        &self,
        tx: &mut Transaction,
        feed: &str,
        event: &Event,
        failed: Option<&Failed>,
    ) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let whole =
            serde_json::to_string(event).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        let insert = sqlx::query(
            "INSERT INTO event_parked (feed, event_id, subject, position, state, attempts, \
             reason, first_failed_at, next_at, event) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(feed)
        .bind(&event.id)
        .bind(&event.subject)
        .bind(event.position)
        .bind(
            failed
                .map_or(State::Waiting, |failed| failed.state)
                .as_str(),
        )
        .bind(failed.map_or(0, |failed| i64::from(failed.attempts)))
        .bind(failed.map(|failed| &*failed.reason))
        .bind(failed.map(|_| now.micros()))
        .bind(failed.map_or(0, |failed| failed.next_at.micros()))
        .bind(whole)
        .execute(&mut **tx);
        self.sql.run("INSERT", "event_parked", insert).await?;
        Ok(())
    }

    /// The event that is to be tried again first, be it due or not.
    pub(super) async fn next(&self, feed: &str) -> Result<Option<Parked>, StoreError> {
        let one = sqlx::query(
            "SELECT event, attempts, next_at FROM event_parked \
             WHERE feed = $1 AND state = 'retrying' ORDER BY next_at, position LIMIT 1",
        )
        .bind(feed)
        .fetch_optional(self.sql.pool());
        let row = self.sql.run("SELECT", "event_parked", one).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Parked {
            event: event(&row)?,
            attempts: attempts(&row)?,
            next_at: Timestamp::from_micros(row.try_get("next_at")?),
        }))
    }

    /// Takes an event out that was tried so often, unless another instance has tried it meanwhile.
    pub(super) async fn take_out(
        &self,
        tx: &mut Transaction,
        feed: &str,
        parked: &Parked,
    ) -> Result<(), Interrupted> {
        let delete = sqlx::query(
            "DELETE FROM event_parked WHERE feed = $1 AND event_id = $2 \
             AND state = 'retrying' AND attempts = $3",
        )
        .bind(feed)
        .bind(&parked.event.id)
        .bind(i64::from(parked.attempts))
        .execute(&mut **tx);
        let deleted = self.sql.run("DELETE", "event_parked", delete).await?;
        if deleted.rows_affected() == 1 {
            return Ok(());
        }
        Err(Interrupted::Fenced)
    }

    /// The first event that waits in a subject has its turn.
    pub(super) async fn advance(
        &self,
        tx: &mut Transaction,
        feed: &str,
        subject: &str,
    ) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE event_parked SET state = 'retrying', next_at = $1 \
             WHERE feed = $2 AND subject = $3 AND position = (SELECT MIN(position) \
             FROM event_parked WHERE feed = $2 AND subject = $3)",
        )
        .bind(Timestamp::now().micros())
        .bind(feed)
        .bind(subject)
        .execute(&mut **tx);
        self.sql.run("UPDATE", "event_parked", update).await?;
        Ok(())
    }

    /// Writes down another failed attempt, unless another instance has made it.
    pub(super) async fn failed(
        &self,
        tx: &mut Transaction,
        feed: &str,
        parked: &Parked,
        failed: &Failed,
    ) -> Result<(), Interrupted> {
        let update = sqlx::query(
            "UPDATE event_parked SET state = $1, attempts = $2, reason = $3, next_at = $4, \
             first_failed_at = COALESCE(first_failed_at, $5) \
             WHERE feed = $6 AND event_id = $7 AND state = 'retrying' AND attempts = $8",
        )
        .bind(failed.state.as_str())
        .bind(i64::from(failed.attempts))
        .bind(&failed.reason)
        .bind(failed.next_at.micros())
        .bind(Timestamp::now().micros())
        .bind(feed)
        .bind(&parked.event.id)
        .bind(i64::from(parked.attempts))
        .execute(&mut **tx);
        let updated = self.sql.run("UPDATE", "event_parked", update).await?;
        if updated.rows_affected() == 1 {
            return Ok(());
        }
        Err(Interrupted::Fenced)
    }

    /// Forgets all of a feed.
    pub(super) async fn clear(&self, tx: &mut Transaction, feed: &str) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM event_parked WHERE feed = $1")
            .bind(feed)
            .execute(&mut **tx);
        self.sql.run("DELETE", "event_parked", delete).await?;
        Ok(())
    }

    /// Events that failed, by id, behind the one with the id `after`.
    pub(super) async fn letters(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let some = sqlx::query(
            "SELECT one.feed, one.event, one.state, one.attempts, one.reason, \
             one.first_failed_at, (SELECT COUNT(*) FROM event_parked AS other \
             WHERE other.feed = one.feed AND other.subject = one.subject \
             AND other.state = 'waiting') AS waiting \
             FROM event_parked AS one WHERE one.state <> 'waiting' AND one.event_id > $1 \
             ORDER BY one.event_id LIMIT $2",
        )
        .bind(after)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "event_parked", some).await?;
        let letters = rows.iter().map(letter);
        Ok(letters.collect::<Result<_, _>>()?)
    }

    /// A parked event.
    pub(super) async fn find(
        &self,
        tx: &mut Transaction,
        feed: &str,
        event_id: &str,
    ) -> Result<Option<Found>, StoreError> {
        let one = sqlx::query(
            "SELECT subject, state FROM event_parked WHERE feed = $1 AND event_id = $2",
        )
        .bind(feed)
        .bind(event_id)
        .fetch_optional(&mut **tx);
        let row = self.sql.run("SELECT", "event_parked", one).await?;
        let Some(row) = row else { return Ok(None) };
        let state: String = row.try_get("state")?;
        Ok(Some(Found {
            subject: row.try_get("subject")?,
            state: State::read(&state)?,
        }))
    }

    /// Has an event that failed tried again at once.
    pub(super) async fn replay(
        &self,
        tx: &mut Transaction,
        event_id: &str,
    ) -> Result<(), StoreError> {
        let update = sqlx::query(
            "UPDATE event_parked SET state = 'retrying', next_at = $1 WHERE event_id = $2",
        )
        .bind(Timestamp::now().micros())
        .bind(event_id)
        .execute(&mut **tx);
        self.sql.run("UPDATE", "event_parked", update).await?;
        Ok(())
    }

    /// Gives an event up.
    pub(super) async fn remove(
        &self,
        tx: &mut Transaction,
        event_id: &str,
    ) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM event_parked WHERE event_id = $1")
            .bind(event_id)
            .execute(&mut **tx);
        self.sql.run("DELETE", "event_parked", delete).await?;
        Ok(())
    }
}

fn letter(row: &AnyRow) -> Result<Letter, sqlx::Error> {
    let first_failed_at: Option<i64> = row.try_get("first_failed_at")?;
    Ok(Letter {
        feed: row.try_get("feed")?,
        event: event(row)?,
        state: State::read(row.try_get("state")?)?,
        attempts: attempts(row)?,
        reason: row.try_get("reason")?,
        first_failed_at: first_failed_at.map(Timestamp::from_micros),
        waiting: row.try_get("waiting")?,
    })
}

fn event(row: &AnyRow) -> Result<Event, sqlx::Error> {
    let whole: String = row.try_get("event")?;
    serde_json::from_str(&whole).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn attempts(row: &AnyRow) -> Result<u32, sqlx::Error> {
    let attempts: i64 = row.try_get("attempts")?;
    Ok(u32::try_from(attempts).unwrap_or(u32::MAX))
}

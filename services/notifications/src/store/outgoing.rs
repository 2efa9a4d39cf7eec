//! Rows on their way out. A claim only saves work: who sends without one sends once too often.

use std::borrow::Cow;

use app::Timestamp;
use sqlx::Row as _;
use telemetry::context::SpanContext;

use super::{Notification, Store, notification};
use crate::error::Failure;
use crate::points::Points;

/// Why a notification waits whose member users has not told of yet.
pub(crate) const NO_ADDRESS: &str = "no_address";

/// What is to be sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outgoing {
    pub(crate) unsent: i64,
    /// When the oldest of it was written.
    pub(crate) oldest: Option<Timestamp>,
}

/// A notification that this instance is to send.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) notification: Notification,
    /// Where its member can be written to, as far as is known.
    pub(crate) email: Option<String>,
    /// The trace in which it was caused.
    pub(crate) trace: SpanContext,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Sent,
    /// To be tried again then, because of this.
    PutOff(Timestamp, Cow<'static, str>),
    /// Not to be tried again, because of this.
    GivenUp(Cow<'static, str>),
}

impl Store {
    pub(crate) async fn outgoing(&self) -> Result<Outgoing, Failure> {
        let all = sqlx::query(
            "SELECT COUNT(*) AS unsent, MIN(created_at) AS oldest \
             FROM notifications WHERE due_at IS NOT NULL",
        )
        .fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "notifications", all).await?;
        let oldest: Option<i64> = row.try_get("oldest")?;
        Ok(Outgoing {
            unsent: row.try_get("unsent")?,
            oldest: oldest.map(Timestamp::from_micros),
        })
    }

    /// When the first of what is to be sent is due.
    pub(crate) async fn next_due(&self) -> Result<Option<Timestamp>, Failure> {
        let first = sqlx::query(
            "SELECT MIN(due_at) AS next_due FROM notifications WHERE due_at IS NOT NULL",
        )
        .fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "notifications", first).await?;
        let micros: Option<i64> = row.try_get("next_due")?;
        Ok(micros.map(Timestamp::from_micros))
    }

    /// Claims what is due the longest, until `until`.
    pub(crate) async fn claim(
        &self,
        now: Timestamp,
        until: Timestamp,
        points: &Points,
    ) -> Result<Option<Claimed>, Failure> {
        let mut tx = self.sql.begin_write().await?;
        let claim = sqlx::query(
            "UPDATE notifications SET due_at = $1, attempts = attempts + 1 WHERE id = (\
             SELECT id FROM notifications WHERE due_at <= $2 ORDER BY due_at, id LIMIT 1) \
             RETURNING *",
        )
        .bind(until.micros())
        .bind(now.micros())
        .fetch_optional(&mut *tx);
        let Some(row) = self.sql.run("UPDATE", "notifications", claim).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let notification = notification(&row)?;
        let trace: String = row.try_get("trace")?;
        let one = sqlx::query("SELECT email FROM members WHERE id = $1")
            .bind(notification.member_id.clone())
            .fetch_optional(&mut *tx);
        let member = self.sql.run("SELECT", "members", one).await?;
        let email = member.map(|row| row.try_get("email")).transpose()?;
        points
            .claim
            .pass(async { tx.commit().await.map_err(Failure::from) })
            .await?;
        Ok(Some(Claimed {
            notification,
            email,
            trace: app::trace::read(&trace),
        }))
    }

    /// Writes down what came of an attempt. That it was sent counts whoever says it; all else only
    /// from whoever claimed it last.
    pub(crate) async fn ended(
        &self,
        claimed: &Claimed,
        ended: &Ended,
        now: Timestamp,
        points: &Points,
    ) -> Result<(), Failure> {
        let (due_at, sent_at, given_up_at, reason) = match ended {
            Ended::Sent => (None, Some(now), None, None),
            Ended::PutOff(due, reason) => (Some(*due), None, None, Some(reason)),
            Ended::GivenUp(reason) => (None, None, Some(now), Some(reason)),
        };
        let mut tx = self.sql.begin_write().await?;
        let update = sqlx::query(
            "UPDATE notifications SET due_at = $1, sent_at = $2, given_up_at = $3, reason = $4 \
             WHERE id = $5 AND sent_at IS NULL AND ($6 = 1 OR attempts = $7)",
        )
        .bind(due_at.map(Timestamp::micros))
        .bind(sent_at.map(Timestamp::micros))
        .bind(given_up_at.map(Timestamp::micros))
        .bind(reason.map(|reason| reason.clone().into_owned()))
        .bind(claimed.notification.id.to_string())
        .bind(i64::from(*ended == Ended::Sent))
        .bind(claimed.notification.attempts)
        .execute(&mut *tx);
        self.sql.run("UPDATE", "notifications", update).await?;
        points
            .sent
            .pass(async { tx.commit().await.map_err(Failure::from) })
            .await
    }
}

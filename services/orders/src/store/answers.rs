//! What was answered to whom under which key.

use app::Timestamp;
use faults::Around;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use stores::sql::Transaction;
use uuid::Uuid;

use super::{Store, StoreFailure, commit, id, time};
use crate::domain::{Key, Order};

/// Expired keys that each placing clears away: more than the one that it adds.
const CLEARED_AT_ONCE: i64 = 20;

/// What a member asked for, and under which key.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub member_id: String,
    pub key: Key,
    pub fingerprint: String,
    /// When whoever writes it will have answered.
    pub answer_by: Timestamp,
    pub expires_at: Timestamp,
}

/// The answer to a request that placed an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub order: Uuid,
    pub status: u16,
    /// JSON.
    pub body: String,
}

impl Answer {
    /// 201 with the outcome if the order has ended, else 202.
    pub(crate) fn of(order: &Order) -> Result<Self, StoreFailure> {
        Ok(Self {
            order: order.id,
            status: if order.status.is_settled() { 201 } else { 202 },
            body: serde_json::to_string(order)?,
        })
    }
}

/// What is kept under a key.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub order: Uuid,
    pub fingerprint: String,
    pub answer_by: Timestamp,
    /// `None` until the first request is answered.
    pub answer: Option<Answer>,
}

impl Store {
    /// What is kept under a member's key.
    pub(crate) async fn kept(&self, member: &str, key: &Key) -> Result<Option<Kept>, StoreFailure> {
        let one = sqlx::query(
            "SELECT * FROM idempotency_keys WHERE member_id = $1 AND key = $2 AND expires_at > $3",
        )
        .bind(member)
        .bind(key.as_str())
        .bind(Timestamp::now().micros())
        .fetch_optional(self.sql.pool());
        let row = self.sql.run("SELECT", "idempotency_keys", one).await?;
        row.as_ref().map(kept).transpose()
    }

    /// The answer that was given about an order, or that is to be given now: the first to ask for
    /// it decides it, so that whoever repeats the request is told the same.
    pub(crate) async fn answer(&self, order: Uuid, at: &Around) -> Result<Answer, StoreFailure> {
        let given = sqlx::query("SELECT * FROM idempotency_keys WHERE order_id = $1")
            .bind(order.to_string())
            .fetch_optional(self.sql.pool());
        let row = self.sql.run("SELECT", "idempotency_keys", given).await?;
        if let Some(answer) = row.as_ref().map(kept).transpose()?.and_then(|k| k.answer) {
            return Ok(answer);
        }
        let mut tx = self.sql.begin_write().await?;
        // Read again: the order may have ended since.
        let log = self.log_within(&mut tx, order).await?;
        let folded = Order::of(order, &log).ok_or(StoreFailure::UnknownOrder)?;
        let answer = Answer::of(&folded)?;
        if self.give(&mut tx, &answer).await? {
            commit(tx, at).await?;
            return Ok(answer);
        }
        let given = sqlx::query("SELECT * FROM idempotency_keys WHERE order_id = $1")
            .bind(order.to_string())
            .fetch_optional(&mut *tx);
        let row = self.sql.run("SELECT", "idempotency_keys", given).await?;
        let given = row.as_ref().map(kept).transpose()?.and_then(|k| k.answer);
        // The key may have expired and been cleared away.
        Ok(given.unwrap_or(answer))
    }

    /// Keeps an answer unless there is one; says whether it did.
    pub(super) async fn give(
        &self,
        tx: &mut Transaction,
        answer: &Answer,
    ) -> Result<bool, StoreFailure> {
        let update = sqlx::query(
            "UPDATE idempotency_keys SET status = $1, body = $2 \
             WHERE order_id = $3 AND status IS NULL",
        )
        .bind(i64::from(answer.status))
        .bind(&answer.body)
        .bind(answer.order.to_string())
        .execute(&mut **tx);
        let update = self.sql.run("UPDATE", "idempotency_keys", update).await?;
        Ok(update.rows_affected() == 1)
    }

    pub(super) async fn take_key(
        &self,
        tx: &mut Transaction,
        order: Uuid,
        asked: &Asked,
        now: Timestamp,
    ) -> Result<(), StoreFailure> {
        let take = sqlx::query(
            "INSERT INTO idempotency_keys \
             (member_id, key, fingerprint, order_id, status, body, answer_by, expires_at) \
             VALUES ($1, $2, $3, $4, NULL, NULL, $5, $6) \
             ON CONFLICT (member_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, \
             order_id = excluded.order_id, status = NULL, body = NULL, \
             answer_by = excluded.answer_by, expires_at = excluded.expires_at \
             WHERE idempotency_keys.expires_at <= $7",
        )
        .bind(&asked.member_id)
        .bind(asked.key.as_str())
        .bind(&asked.fingerprint)
        .bind(order.to_string())
        .bind(asked.answer_by.micros())
        .bind(asked.expires_at.micros())
        .bind(now.micros())
        .execute(&mut **tx);
        let taken = self.sql.run("INSERT", "idempotency_keys", take).await?;
        if taken.rows_affected() == 0 {
            return Err(StoreFailure::KeyTaken);
        }
        let clear = sqlx::query(
            "DELETE FROM idempotency_keys WHERE order_id IN (SELECT order_id FROM \
             idempotency_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        )
        .bind(now.micros())
        .bind(CLEARED_AT_ONCE)
        .execute(&mut **tx);
        self.sql.run("DELETE", "idempotency_keys", clear).await?;
        Ok(())
    }
}

fn kept(row: &AnyRow) -> Result<Kept, StoreFailure> {
    let order = id(row, "order_id")?;
    let status: Option<i64> = row.try_get("status")?;
    let answer = status.map(|status| {
        Ok::<_, StoreFailure>(Answer {
            order,
            status: u16::try_from(status).map_err(|_| StoreFailure::Column("status"))?,
            body: row.try_get("body")?,
        })
    });
    Ok(Kept {
        order,
        fingerprint: row.try_get("fingerprint")?,
        answer_by: time(row, "answer_by")?,
        answer: answer.transpose()?,
    })
}

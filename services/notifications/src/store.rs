//! The rows: members as users said, and what they are told. A row is the effect of an event.

mod outgoing;

use std::sync::Arc;

use app::{Timestamp, trace};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use sqlx::migrate::Migrator;
use stores::sql::{Sql, StoreError, Transaction};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::domain::{Kind, News, Words};
use crate::error::Failure;
use crate::metrics::Metrics;

pub(crate) use outgoing::{Claimed, Ended, NO_ADDRESS};

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Somebody to write to.
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
}

/// A row, as its readers see it.
#[derive(Debug)]
pub(crate) struct Notification {
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) about: Uuid,
    pub(crate) member_id: String,
    pub(crate) text: Words,
    pub(crate) created_at: Timestamp,
    pub(crate) attempts: i64,
    pub(crate) sent_at: Option<Timestamp>,
    pub(crate) given_up_at: Option<Timestamp>,
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Store {
    sql: Sql,
    metrics: Metrics,
    /// Told of each row that this instance has written.
    written: Arc<Notify>,
}

impl Store {
    pub(crate) fn new(sql: Sql, metrics: Metrics) -> Self {
        Self {
            sql,
            metrics,
            written: Arc::default(),
        }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.sql.ping().await
    }

    /// Ends when there may be something to send, or did since the last time.
    pub(crate) async fn written(&self) {
        self.written.notified().await;
    }

    /// One of those who wait for [`written`](Self::written) looks.
    pub(crate) fn look(&self) {
        self.written.notify_one();
    }

    /// Keeps a member's name and address. What waited for the address is sent at once.
    pub(crate) async fn know(
        &self,
        tx: &mut Transaction,
        member: &Member,
    ) -> Result<(), StoreError> {
        let upsert = sqlx::query(
            "INSERT INTO members (id, name, email) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email",
        )
        .bind(&member.id)
        .bind(&member.name)
        .bind(&member.email)
        .execute(&mut **tx);
        self.sql.run("INSERT", "members", upsert).await?;
        let now = Timestamp::now();
        let update = sqlx::query(
            "UPDATE notifications SET due_at = $1 \
             WHERE member_id = $2 AND due_at > $1 AND reason = $3",
        )
        .bind(now.micros())
        .bind(&member.id)
        .bind(NO_ADDRESS)
        .execute(&mut **tx);
        self.sql.run("UPDATE", "notifications", update).await?;
        Ok(())
    }

    /// Tells a member what has happened, unless that was told before.
    pub(crate) async fn tell(&self, tx: &mut Transaction, news: &News) -> Result<(), StoreError> {
        let one = sqlx::query("SELECT name FROM members WHERE id = $1")
            .bind(&news.member_id)
            .fetch_optional(&mut **tx);
        let member = self.sql.run("SELECT", "members", one).await?;
        let name: Option<String> = member.map(|row| row.try_get("name")).transpose()?;
        let text = news.text(name.as_deref());
        let now = Timestamp::now();
        let insert = sqlx::query(
            "INSERT INTO notifications \
             (id, kind, about, member_id, text_ko, text_en, created_at, trace, attempts, due_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $7) \
             ON CONFLICT (kind, about) DO NOTHING",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(news.kind.name())
        .bind(news.about.to_string())
        .bind(&news.member_id)
        .bind(text.ko)
        .bind(text.en)
        .bind(now.micros())
        .bind(trace::current())
        .execute(&mut **tx);
        let inserted = self.sql.run("INSERT", "notifications", insert).await?;
        if inserted.rows_affected() == 1 {
            let (kind, metrics, written) = (news.kind, self.metrics.clone(), self.written.clone());
            tx.on_commit(move || {
                metrics.written(kind);
                written.notify_one();
            });
        }
        Ok(())
    }

    /// A member's notifications before `before`, newest first.
    pub(crate) async fn of_member(
        &self,
        member_id: &str,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Notification>, Failure> {
        let some = sqlx::query(
            "SELECT * FROM notifications WHERE member_id = $1 AND id < $2 \
             ORDER BY id DESC LIMIT $3",
        )
        .bind(member_id.to_owned())
        .bind(before.unwrap_or(Uuid::max()).to_string())
        .bind(limit)
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "notifications", some).await?;
        rows.iter().map(notification).collect()
    }

    /// Everybody's notifications before `before`, newest first.
    pub(crate) async fn all(
        &self,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Notification>, Failure> {
        let some =
            sqlx::query("SELECT * FROM notifications WHERE id < $1 ORDER BY id DESC LIMIT $2")
                .bind(before.unwrap_or(Uuid::max()).to_string())
                .bind(limit)
                .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "notifications", some).await?;
        rows.iter().map(notification).collect()
    }
}

fn notification(row: &AnyRow) -> Result<Notification, Failure> {
    let at = |column| -> Result<_, sqlx::Error> {
        let micros: Option<i64> = row.try_get(column)?;
        Ok(micros.map(Timestamp::from_micros))
    };
    let kind: String = row.try_get("kind")?;
    Ok(Notification {
        id: uuid(row, "id")?,
        kind: Kind::from_name(&kind).ok_or(Failure::Column("kind"))?,
        about: uuid(row, "about")?,
        member_id: row.try_get("member_id")?,
        text: Words {
            ko: row.try_get("text_ko")?,
            en: row.try_get("text_en")?,
        },
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
        attempts: row.try_get("attempts")?,
        sent_at: at("sent_at")?,
        given_up_at: at("given_up_at")?,
        reason: row.try_get("reason")?,
    })
}

fn uuid(row: &AnyRow, column: &'static str) -> Result<Uuid, Failure> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| Failure::Column(column))
}

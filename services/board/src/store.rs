//! The posts, written with their events.

use app::Timestamp;
use events::{Outbox, PublishError};
use faults::{Around, Injected};
use sqlx::Row as _;
use sqlx::any::AnyRow;
use sqlx::migrate::Migrator;
use stores::sql::{Sql, StoreError};
use uuid::Uuid;

use crate::domain::{Body, Post, Title};
use crate::events::PostCreated;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why a post was not written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreFailure {
    #[error("there is no such post")]
    UnknownPost,
    #[error("column {0} holds what no post may have")]
    Column(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the event cannot be published")]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Injected(#[from] Injected),
}

impl From<sqlx::Error> for StoreFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

#[derive(Clone)]
pub(crate) struct Store {
    sql: Sql,
    outbox: Outbox,
    commit: Around,
}

impl Store {
    pub(crate) fn new(sql: Sql, outbox: Outbox, commit: Around) -> Self {
        Self {
            sql,
            outbox,
            commit,
        }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.sql.ping().await
    }

    /// Writes a post down, and with it that it was written.
    pub(crate) async fn add(&self, post: &Post) -> Result<(), StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        let insert = sqlx::query(
            "INSERT INTO posts (id, user_id, title, body, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(post.id.to_string())
        .bind(&post.user_id)
        .bind(post.title.as_str())
        .bind(post.body.as_str())
        .bind(post.created_at.micros())
        .execute(&mut *tx);
        self.sql.run("INSERT", "posts", insert).await?;
        self.outbox
            .publish(&mut tx, &post.id.to_string(), &PostCreated::from(post))
            .await?;
        self.commit.pass(async { Ok(tx.commit().await?) }).await
    }

    pub(crate) async fn find(&self, id: Uuid) -> Result<Post, StoreFailure> {
        let one = sqlx::query("SELECT * FROM posts WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.sql.pool());
        let row = self.sql.run("SELECT", "posts", one).await?;
        post(&row.ok_or(StoreFailure::UnknownPost)?)
    }

    /// Posts written before the post `before`, newest first.
    pub(crate) async fn page(
        &self,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Post>, StoreFailure> {
        let some = sqlx::query("SELECT * FROM posts WHERE id < $1 ORDER BY id DESC LIMIT $2")
            .bind(before.unwrap_or(Uuid::max()).to_string())
            .bind(limit)
            .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "posts", some).await?;
        rows.iter().map(post).collect()
    }
}

fn post(row: &AnyRow) -> Result<Post, StoreFailure> {
    let text = |column: &str| row.try_get::<String, _>(column);
    Ok(Post {
        id: Uuid::parse_str(&text("id")?).map_err(|_| StoreFailure::Column("id"))?,
        user_id: text("user_id")?,
        title: Title::parse(&text("title")?).map_err(|_| StoreFailure::Column("title"))?,
        body: Body::parse(&text("body")?).map_err(|_| StoreFailure::Column("body"))?,
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
    })
}

//! Documents in SQL: every kept version is a row, and the newest is in force.

use sqlx::Row;
use sqlx::any::AnyRow;
use stores::sql::{ResultExt, Sql, StoreError, Transaction};

use crate::domain::{Document, Expect, MAX_DOCUMENTS, Name, Timestamp};

pub(crate) struct Store {
    sql: Sql,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    #[error("document is not at the expected version")]
    Conflict,
    #[error("there are {MAX_DOCUMENTS} documents already")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a write left behind.
pub(crate) struct Written<D> {
    pub(crate) document: D,
    /// There was no such document before.
    pub(crate) is_first: bool,
}

/// A version to be written.
pub(crate) struct Draft {
    pub(crate) name: Name,
    pub(crate) value: serde_json::Value,
    /// `value` as compact JSON.
    pub(crate) json: String,
    pub(crate) author: String,
    pub(crate) now: Timestamp,
}

impl Store {
    pub(crate) fn new(sql: Sql) -> Self {
        Self { sql }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.sql.ping().await
    }

    /// Every document at its newest version.
    pub(crate) async fn current(&self) -> Result<Vec<Document>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, version, updated_at, updated_by, value FROM document_versions AS newest
             WHERE version = (SELECT MAX(version) FROM document_versions WHERE name = newest.name)
             ORDER BY name",
        )
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "document_versions", rows).await?;
        rows.iter().map(document).collect()
    }

    /// The kept versions of a document, newest first.
    pub(crate) async fn history(&self, name: &Name) -> Result<Vec<Document>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, version, updated_at, updated_by, value FROM document_versions
             WHERE name = $1 ORDER BY version DESC",
        )
        .bind(name.as_str())
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "document_versions", rows).await?;
        rows.iter().map(document).collect()
    }

    /// Writes the next version if the expectation is met, and forgets those beyond `history`.
    /// What is there already is not written again: it is returned as it is.
    pub(crate) async fn put(
        &self,
        draft: Draft,
        expect: Expect,
        history: u32,
    ) -> Result<Written<Document>, PutError> {
        let mut tx = self.sql.begin_write().await?;
        let current = self.newest(&mut tx, &draft.name).await?;
        let version = current.as_ref().map(|current| current.version);
        if !expect.is_met_by(version) {
            tx.rollback().await?;
            return Err(PutError::Conflict);
        }
        match current {
            Some(current) if current.value == draft.value => {
                tx.rollback().await?;
                return Ok(Written {
                    document: current,
                    is_first: false,
                });
            }
            None if self.count(&mut tx).await? >= MAX_DOCUMENTS => {
                tx.rollback().await?;
                return Err(PutError::TooMany);
            }
            Some(_) | None => {}
        }
        let document = Document {
            name: draft.name,
            version: version.unwrap_or(0) + 1,
            updated_at: draft.now,
            updated_by: draft.author,
            value: draft.value,
        };
        self.insert(&mut tx, &document, &draft.json).await?;
        self.forget(&mut tx, &document, history).await?;
        tx.commit().await?;
        Ok(Written {
            document,
            is_first: version.is_none(),
        })
    }

    async fn newest(
        &self,
        tx: &mut Transaction,
        name: &Name,
    ) -> Result<Option<Document>, StoreError> {
        let row = sqlx::query(
            "SELECT name, version, updated_at, updated_by, value FROM document_versions
             WHERE name = $1 ORDER BY version DESC LIMIT 1",
        )
        .bind(name.as_str())
        .fetch_optional(&mut **tx);
        let row = self.sql.run("SELECT", "document_versions", row).await?;
        row.as_ref().map(document).transpose()
    }

    async fn count(&self, tx: &mut Transaction) -> Result<usize, StoreError> {
        let count = sqlx::query("SELECT COUNT(DISTINCT name) AS documents FROM document_versions")
            .fetch_one(&mut **tx);
        let row = self.sql.run("SELECT", "document_versions", count).await?;
        let count: i64 = row.try_get("documents")?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Two writers that both read the same newest version cannot both write the next one, also
    /// on an engine whose transactions run side by side: the key is theirs to win.
    async fn insert(
        &self,
        tx: &mut Transaction,
        document: &Document,
        json: &str,
    ) -> Result<(), PutError> {
        let insert = sqlx::query(
            "INSERT INTO document_versions (name, version, updated_at, updated_by, value)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(document.name.as_str())
        .bind(to_sql(document.version))
        .bind(document.updated_at.micros())
        .bind(document.updated_by.as_str())
        .bind(json)
        .execute(&mut **tx);
        let inserted = self.sql.run("INSERT", "document_versions", insert).await;
        inserted
            .on_constraint("document_versions_pkey", || PutError::Conflict)
            .map(drop)
    }

    async fn forget(
        &self,
        tx: &mut Transaction,
        newest: &Document,
        history: u32,
    ) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM document_versions WHERE name = $1 AND version <= $2")
            .bind(newest.name.as_str())
            .bind(to_sql(newest.version).saturating_sub(i64::from(history)))
            .execute(&mut **tx);
        self.sql
            .run("DELETE", "document_versions", delete)
            .await
            .map(drop)
    }
}

fn to_sql(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

fn document(row: &AnyRow) -> Result<Document, StoreError> {
    let column = |error: &dyn std::fmt::Display| {
        StoreError::from(sqlx::Error::Decode(error.to_string().into()))
    };
    let name: String = row.try_get("name")?;
    let version: i64 = row.try_get("version")?;
    let value: String = row.try_get("value")?;
    Ok(Document {
        name: Name::parse(name).map_err(|error| column(&error))?,
        version: u64::try_from(version).map_err(|error| column(&error))?,
        updated_at: Timestamp::from_micros(row.try_get("updated_at")?),
        updated_by: row.try_get("updated_by")?,
        value: serde_json::from_str(&value).map_err(|error| column(&error))?,
    })
}

//! Relational data through sqlx `Any`: one SQL text for every engine.
//!
//! # Rules for statements and migrations
//! - Columns are `TEXT` (ids, JSON), `BIGINT` (money in minor units, epoch microseconds, booleans
//!   as 0 and 1) or `DOUBLE PRECISION`; placeholders are `$1`, `$2`, ...
//! - Constraints are named. A unique constraint is a `CREATE UNIQUE INDEX name ON ...` or a
//!   `CONSTRAINT name UNIQUE (...)`; one without a name gets PostgreSQL's default name
//!   (`table_column_key`, `table_pkey`, `table_column_fkey`).
//! - Migrations only go forward. A migration that was applied never changes, and a program older
//!   than the schema refuses to open the store.
//!
//! Every statement goes through [`Sql::run`]: it makes the statement a child span of the request,
//! counts it, and turns a violated constraint into its name.

mod calls;
mod constraint;
mod error;
mod idle;
mod one_of;
mod open;
mod schema;
mod url;

pub use constraint::{Constraint, ConstraintKind};
pub use error::{ResultExt, StoreError};
pub use one_of::{padded, places};
pub use open::{Durability, open};

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::migrate::Migrator;
use sqlx::{Any, AnyConnection, AnyPool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use calls::Calls;
use idle::Idle;
use schema::Schema;
use telemetry::database::System;

/// The engine behind a [`Sql`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// SQLite 3, a file in the data directory.
    Sqlite,
}

impl Dialect {
    /// The engine as telemetry calls it.
    #[must_use]
    pub fn system(self) -> System {
        match self {
            Self::Sqlite => System::SQLITE,
        }
    }

    /// Takes the write lock at once: a transaction that reads first and then writes would
    /// otherwise fail, not wait, when another writer came in between.
    fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
        }
    }
}

/// A store that is open and whose schema is current. Cloning it is cheap; clones share the pool.
#[derive(Debug, Clone)]
pub struct Sql {
    pool: AnyPool,
    /// SQLite has one writer at a time, and a connection that waits for its turn is blocked. Here
    /// only one of ours waits, first come first served, and the others are free for readers.
    writers: Arc<Semaphore>,
    dialect: Dialect,
    /// Grows when a part of the chassis makes its tables; read when a constraint is violated.
    schema: Arc<RwLock<Schema>>,
    calls: Calls,
    _idle: Arc<Idle>,
}

impl Sql {
    /// The connections, for statements outside a transaction.
    #[must_use]
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// The engine.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Awaits one statement as a child span named `{operation} {collection}`, and counts it in
    /// `db.client.operation.duration`.
    ///
    /// `operation` is the SQL verb (`SELECT`) and `collection` the table. Outside a request there
    /// is no span: a background poll must not start a trace each time.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] with the constraint's name, [`StoreError::Busy`] when no
    /// connection or lock was to be had in time, [`StoreError::Database`] for all else.
    pub async fn run<T, F>(
        &self,
        operation: &'static str,
        collection: &'static str,
        statement: F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        match self.calls.observe(operation, collection, statement).await {
            Ok(value) => Ok(value),
            Err(error) => {
                let schema = self.schema.read().unwrap_or_else(PoisonError::into_inner);
                Err(StoreError::of_statement(
                    error, &schema, operation, collection,
                ))
            }
        }
    }

    /// Makes, or brings up to date, tables that are not the service's own but those of a part of
    /// the chassis. What was applied is kept in a migration table of that part's, so that its
    /// migrations and the service's never meet.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a newer program made the tables, [`StoreError::Migrate`] when a
    /// migration failed or was changed after it was applied.
    pub async fn add_part(
        &self,
        migration_table: &'static str,
        migrator: &Migrator,
    ) -> Result<(), StoreError> {
        let mut part = Migrator::with_migrations(migrator.migrations.to_vec());
        part.dangerous_set_table_name(migration_table);
        open::migrate(&self.pool, self.dialect, &part).await?;
        let schema = Schema::read(&self.pool).await?;
        *self.schema.write().unwrap_or_else(PoisonError::into_inner) = schema;
        Ok(())
    }

    /// Begins a transaction that may write. What it read cannot be changed by others before it
    /// ends; it waits for other writers here, not at its first write.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when another writer did not finish in time.
    pub async fn begin_write(&self) -> Result<Transaction, StoreError> {
        let begin = async {
            let turn = Arc::clone(&self.writers).acquire_owned();
            let turn = tokio::time::timeout(open::PATIENCE, turn).await;
            let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
            let turn = turn.map_err(|_| sqlx::Error::PoolClosed)?;
            let inner = self.pool.begin_with(self.dialect.begin_write()).await?;
            Ok((inner, turn))
        };
        let (inner, turn) = self.run("BEGIN", "", begin).await?;
        Ok(Transaction {
            inner,
            sql: self.clone(),
            on_commit: Vec::new(),
            _turn: turn,
        })
    }

    /// Whether the store answers; for `/readyz`.
    ///
    /// # Errors
    /// Whatever kept it from answering.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let one = sqlx::query("SELECT 1").execute(&self.pool);
        self.run("SELECT", "", one).await.map(drop)
    }

    /// Waits for running statements and closes the files.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction that may write. Dropped without [`commit`](Self::commit) it is rolled back.
///
/// Statements run on `&mut *transaction`:
/// `sql.run("INSERT", "products", sqlx::query("...").execute(&mut *tx))`.
pub struct Transaction {
    inner: sqlx::Transaction<'static, Any>,
    sql: Sql,
    on_commit: Vec<Box<dyn FnOnce() + Send + Sync>>,
    // The last field: the turn is given on after the transaction has ended.
    _turn: OwnedSemaphorePermit,
}

impl Transaction {
    /// Makes the changes durable and visible.
    ///
    /// # Errors
    /// The store could not commit; nothing was changed.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.sql.run("COMMIT", "", self.inner.commit()).await?;
        for told in self.on_commit {
            told();
        }
        Ok(())
    }

    /// Calls `told` once the changes are durable and visible; never if they are undone. It must
    /// not block, and the process may die before it: what must not be lost is in the transaction.
    pub fn on_commit(&mut self, told: impl FnOnce() + Send + Sync + 'static) {
        self.on_commit.push(Box::new(told));
    }

    /// The store that it changes, whose [`run`](Sql::run) its statements go through.
    #[must_use]
    pub fn sql(&self) -> Sql {
        self.sql.clone()
    }

    /// Undoes the changes and gives the connection back at once.
    ///
    /// # Errors
    /// The connection failed; the changes are undone all the same.
    pub async fn rollback(self) -> Result<(), StoreError> {
        self.sql.run("ROLLBACK", "", self.inner.rollback()).await
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("sql", &self.sql)
            .finish_non_exhaustive()
    }
}

impl Deref for Transaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.inner
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }
}

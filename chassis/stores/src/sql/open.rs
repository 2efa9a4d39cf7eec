use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, ConnectOptions};
use telemetry::Telemetry;
use tokio::sync::Semaphore;

use super::calls::Calls;
use super::error::is_busy;
use super::idle::Idle;
use super::schema::Schema;
use super::{Dialect, Sql, StoreError, url};
use crate::file;

/// How long a statement waits for another writer, and a caller for a connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Each connection is a thread and a page cache; SQLite has one writer at a time anyway.
const CONNECTIONS: u32 = 4;

/// What a commit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Survives the death of the process; the last commits may be lost with the machine's power.
    Normal,
    /// Survives the loss of power too; each commit waits for the disk.
    Full,
}

/// Opens the store that `url` names, makes it if it is not there, and brings its schema up to
/// date. Several processes may open the same store at once: one migrates, the others wait.
///
/// `sqlite:catalog.db` is a file in `data_dir`, `sqlite:/srv/catalog.db` a file of its own. A new
/// file can be read by its owner alone. Statements and connections are told to `telemetry`, under
/// the file's name.
///
/// # Errors
/// [`StoreError::Url`] for an engine that is not supported, [`StoreError::Newer`] when a newer
/// program made the schema, [`StoreError::Migrate`] when a migration failed or was changed after
/// it was applied.
pub async fn open(
    telemetry: &Telemetry,
    store_url: &str,
    data_dir: &Path,
    migrator: &Migrator,
    durability: Durability,
) -> Result<Sql, StoreError> {
    let file = file::named_by(store_url, "sqlite", data_dir).map_err(StoreError::Url)?;
    // SQLite gives its side files the permissions of the main one.
    file::prepare(&file).map_err(|source| StoreError::File {
        path: file.clone(),
        source,
    })?;

    sqlx::any::install_default_drivers();
    // Statements are spans; a log line each would say the same twice.
    let options = AnyConnectOptions::from_str(&url::of_file(&file)?)?.disable_statement_logging();
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        // Both are none of the pool's business: see `Idle`.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| Box::pin(set_up(connection, durability)))
        .connect_lazy_with(options);

    write_ahead(&pool).await?;
    let dialect = Dialect::Sqlite;
    migrate(&pool, dialect, migrator).await?;
    let schema = Schema::read(&pool).await?;
    let calls = Calls::new(telemetry, dialect, &file::name(&file), &pool);
    Ok(Sql {
        _idle: Arc::new(Idle::give_back(&pool)),
        pool,
        writers: Arc::new(Semaphore::new(1)),
        dialect,
        schema: Arc::new(RwLock::new(schema)),
        calls,
    })
}

async fn set_up(connection: &mut AnyConnection, durability: Durability) -> sqlx::Result<()> {
    let synchronous = match durability {
        Durability::Normal => "PRAGMA synchronous = NORMAL",
        Durability::Full => "PRAGMA synchronous = FULL",
    };
    for pragma in [
        "PRAGMA busy_timeout = 5000",
        "PRAGMA foreign_keys = ON",
        synchronous,
        // 512 KiB: the rows of a service fit, and the system caches the file as well.
        "PRAGMA cache_size = -512",
        "PRAGMA journal_size_limit = 4194304",
    ] {
        sqlx::raw_sql(pragma).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Readers then never wait for a writer. The mode is kept in the file, so it is set once; SQLite
/// does not wait when another process is just doing the same, so this does.
async fn write_ahead(pool: &AnyPool) -> Result<(), StoreError> {
    let started = Instant::now();
    loop {
        let set = sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(pool);
        let Err(error) = set.await else {
            return Ok(());
        };
        let busy = error.as_database_error().is_some_and(is_busy);
        if !busy || started.elapsed() > PATIENCE {
            return Err(error.into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One transaction around all of it, under the write lock: of several processes that start
/// together one migrates, and a migration that fails leaves nothing behind.
pub(super) async fn migrate(
    pool: &AnyPool,
    dialect: Dialect,
    migrator: &Migrator,
) -> Result<(), StoreError> {
    let mut tx = pool.begin_with(dialect.begin_write()).await?;
    migrator.run_direct(None, &mut *tx, false).await?;
    tx.commit().await?;
    Ok(())
}

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sqlx::Row;
use sqlx::migrate::Migrator;
use stores::sql::{Durability, Sql, StoreError, open};
use telemetry::{Exporter, Service, Telemetry};

pub(crate) static FIRST: Migrator = sqlx::migrate!("tests/it/migrations");
pub(crate) static NEXT: Migrator = sqlx::migrate!("tests/it/migrations_next");

pub(crate) async fn opened(folder: &Path, migrator: &Migrator) -> Result<Sql, StoreError> {
    opened_for(&unwatched(), folder, migrator).await
}

pub(crate) async fn opened_for(
    telemetry: &Telemetry,
    folder: &Path,
    migrator: &Migrator,
) -> Result<Sql, StoreError> {
    let url = "sqlite:test.db";
    open(telemetry, url, folder, migrator, Durability::Normal).await
}

pub(crate) fn unwatched() -> Telemetry {
    let builder = Telemetry::builder(Service::new("shop", "0.0.0"));
    let builder = builder.exporter(Exporter::None).without_subscriber();
    builder.build().unwrap()
}

async fn pragma(sql: &Sql, statement: &'static str) -> i64 {
    let row = sqlx::query(statement).fetch_one(sql.pool()).await.unwrap();
    row.try_get(0).unwrap()
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("made/by open");
    let sql = opened(&inner, &FIRST).await.unwrap();
    sqlx::query("INSERT INTO members (id, email, age) VALUES ('a', 'a', 1)")
        .execute(sql.pool())
        .await
        .unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(&inner).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        seen += 1;
    }
    assert_eq!(seen, 3, "the database, its log and the log's index");
    let mode = std::fs::metadata(&inner).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn every_connection_is_set_up() {
    let folder = tempfile::tempdir().unwrap();
    for (durability, synchronous) in [(Durability::Normal, 1), (Durability::Full, 2)] {
        let url = "sqlite:test.db";
        let sql = open(&unwatched(), url, folder.path(), &FIRST, durability)
            .await
            .unwrap();
        assert_eq!(pragma(&sql, "PRAGMA synchronous").await, synchronous);
        assert_eq!(pragma(&sql, "PRAGMA foreign_keys").await, 1);
        let row = sqlx::query("PRAGMA journal_mode")
            .fetch_one(sql.pool())
            .await
            .unwrap();
        assert_eq!(row.try_get::<String, _>(0).unwrap(), "wal");
        sql.ping().await.unwrap();
        sql.close().await;
    }
}

#[tokio::test]
async fn migrations_run_once_and_only_forward() {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path(), &FIRST).await.unwrap().close().await;
    for _ in 0..2 {
        let sql = opened(folder.path(), &NEXT).await.unwrap();
        assert_eq!(pragma(&sql, "SELECT COUNT(*) FROM counter").await, 1);
        sql.close().await;
    }
    let error = opened(folder.path(), &FIRST).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer(2)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_start_together_migrate_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let folder = folder.path().to_owned();
        starting.spawn(async move { opened(&folder, &NEXT).await.map(drop) });
    }
    while let Some(started) = starting.join_next().await {
        started.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_unknown_engine_is_named() {
    let (url, folder) = ("mysql://db/x", Path::new("/"));
    let error = open(&unwatched(), url, folder, &FIRST, Durability::Full)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("\"mysql\""), "{error}");
}

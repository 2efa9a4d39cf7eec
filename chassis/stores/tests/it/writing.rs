use std::time::Duration;

use sqlx::Row;
use stores::sql::Sql;

use crate::opening::{NEXT, opened};

async fn value(sql: &Sql) -> i64 {
    let one = sqlx::query("SELECT value FROM counter WHERE id = 1").fetch_one(sql.pool());
    let row = sql.run("SELECT", "counter", one).await.unwrap();
    row.try_get("value").unwrap()
}

async fn set(sql: &Sql, tx: &mut stores::sql::Transaction, value: i64) {
    let statement = sqlx::query("UPDATE counter SET value = $1 WHERE id = 1")
        .bind(value)
        .execute(&mut **tx);
    sql.run("UPDATE", "counter", statement).await.unwrap();
}

#[tokio::test]
async fn a_dropped_transaction_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let sql = opened(folder.path(), &NEXT).await.unwrap();
    let mut tx = sql.begin_write().await.unwrap();
    set(&sql, &mut tx, 5).await;
    drop(tx);
    assert_eq!(value(&sql).await, 0);
    let mut tx = sql.begin_write().await.unwrap();
    set(&sql, &mut tx, 6).await;
    tx.rollback().await.unwrap();
    assert_eq!(value(&sql).await, 0);
    let mut tx = sql.begin_write().await.unwrap();
    set(&sql, &mut tx, 7).await;
    tx.commit().await.unwrap();
    assert_eq!(value(&sql).await, 7);
}

/// Two pools, as two processes would have: each reads and then writes, none fails or is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_then_write_waits_for_other_writers() {
    let folder = tempfile::tempdir().unwrap();
    let mut writers = tokio::task::JoinSet::new();
    let pools = [
        opened(folder.path(), &NEXT).await.unwrap(),
        opened(folder.path(), &NEXT).await.unwrap(),
    ];
    for writer in 0..8 {
        let sql = pools[writer % 2].clone();
        writers.spawn(async move {
            for _ in 0..20 {
                let mut tx = sql.begin_write().await.unwrap();
                let row = sqlx::query("SELECT value FROM counter WHERE id = 1")
                    .fetch_one(&mut *tx)
                    .await
                    .unwrap();
                let seen: i64 = row.try_get("value").unwrap();
                set(&sql, &mut tx, seen + 1).await;
                tx.commit().await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    assert_eq!(value(&pools[0]).await, 160);
}

#[tokio::test]
async fn writers_that_wait_leave_room_for_readers() {
    let folder = tempfile::tempdir().unwrap();
    let sql = opened(folder.path(), &NEXT).await.unwrap();
    let mut first = sql.begin_write().await.unwrap();
    set(&sql, &mut first, 1).await;
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let sql = sql.clone();
        writers.spawn(async move { sql.begin_write().await?.commit().await });
    }
    tokio::task::yield_now().await;
    let read = tokio::time::timeout(Duration::from_secs(2), value(&sql));
    assert_eq!(read.await.expect("a reader does not wait for writers"), 0);
    first.commit().await.unwrap();
    while let Some(written) = writers.join_next().await {
        written.unwrap().unwrap();
    }
}

//! What a store tells of itself.

use std::time::Duration;

use sqlx::Row;
use telemetry::testing::{Collector, Kind, Tree};
use telemetry::{Service, Telemetry};

use crate::opening::{NEXT, opened_for};

pub(crate) fn collected() -> (Telemetry, Collector) {
    let collector = Collector::new();
    let telemetry = Telemetry::builder(Service::new("shop", "0.0.0"))
        .exporter(collector.exporter())
        .without_subscriber()
        .build()
        .unwrap();
    (telemetry, collector)
}

pub(crate) fn lines(telemetry: &Telemetry, start: &str) -> Vec<String> {
    let page = telemetry.metrics_page(None).body;
    let lines = page.lines().filter_map(|line| line.strip_prefix(start));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn statements_are_counted_and_within_a_request_they_are_spans() {
    let folder = tempfile::tempdir().unwrap();
    let (telemetry, collector) = collected();
    let sql = opened_for(&telemetry, folder.path(), &NEXT).await.unwrap();
    let read = async || {
        let one = sqlx::query("SELECT value FROM counter WHERE id = 1").fetch_one(sql.pool());
        let row = sql.run("SELECT", "counter", one).await.unwrap();
        row.try_get::<i64, _>("value").unwrap()
    };
    assert_eq!(read().await, 0);
    assert_eq!(collector.spans().await, [], "a poll begins no trace");

    let request = telemetry.span("request").start();
    request
        .in_scope(async {
            read().await;
            let mut tx = sql.begin_write().await.unwrap();
            let again = "INSERT INTO counter (id, value) VALUES (1, 1)";
            let insert = sqlx::query(again).execute(&mut *tx);
            sql.run("INSERT", "counter", insert).await.unwrap_err();
            tx.rollback().await.unwrap();
        })
        .await;
    drop(request);
    let tree = Tree::one(collector.spans().await);
    tree.assert_shape(
        "shop request
           shop SELECT counter
           shop BEGIN
           shop INSERT counter
           shop ROLLBACK",
    );
    let select = tree.span("SELECT counter");
    assert_eq!(select.kind, Kind::Client);
    for (attribute, value) in [
        ("db.system.name", "sqlite"),
        ("db.namespace", "test.db"),
        ("db.operation.name", "SELECT"),
        ("db.collection.name", "counter"),
        ("db.query.summary", "SELECT counter"),
    ] {
        assert_eq!(select.text(attribute), Some(value));
    }
    let insert = tree.span("INSERT counter");
    let code = insert.text("db.response.status_code").unwrap();
    assert!(insert.is_error());
    assert_eq!(insert.text("error.type"), Some(code));

    let of = "db_system_name=\"sqlite\",db_namespace=\"test.db\"";
    let mut counts = lines(&telemetry, "db_client_operation_duration_seconds_count");
    counts.sort();
    let begin = "db_operation_name=\"BEGIN\",db_query_summary=\"BEGIN\"";
    let insert = format!(
        "db_operation_name=\"INSERT\",db_collection_name=\"counter\",\
         db_query_summary=\"INSERT counter\",db_response_status_code=\"{code}\",\
         error_type=\"{code}\""
    );
    let rollback = "db_operation_name=\"ROLLBACK\",db_query_summary=\"ROLLBACK\"";
    let select = "db_operation_name=\"SELECT\",db_collection_name=\"counter\",\
                  db_query_summary=\"SELECT counter\"";
    let expected = [
        format!("{{{of},{begin}}} 1"),
        format!("{{{of},{insert}}} 1"),
        format!("{{{of},{rollback}}} 1"),
        format!("{{{of},{select}}} 2"),
    ];
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn the_pool_is_seen_until_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (telemetry, _collector) = collected();
    let sql = opened_for(&telemetry, folder.path(), &NEXT).await.unwrap();
    let of = "db_client_connection_pool_name=\"test.db\"";
    let used = format!("{{{of},db_client_connection_state=\"used\"}} ");
    let now = || {
        let lines = lines(&telemetry, "db_client_connections");
        lines
            .iter()
            .find_map(|line| line.strip_prefix(&used).map(str::to_owned))
    };
    // Connections go back on their own, after whoever has used them.
    let all_back = async {
        while now().as_deref() != Some("0") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), all_back)
        .await
        .unwrap();
    let tx = sql.begin_write().await.unwrap();
    assert_eq!(now().as_deref(), Some("1"));
    tx.rollback().await.unwrap();
    assert_eq!(
        lines(&telemetry, "db_client_connection_max"),
        [format!("{{{of}}} 4")]
    );
    let timeouts = lines(&telemetry, "db_client_connection_timeouts_total");
    assert_eq!(timeouts, [format!("{{{of}}} 0")]);

    sql.pool().close().await;
    drop(sql);
    assert_eq!(now(), None);
}

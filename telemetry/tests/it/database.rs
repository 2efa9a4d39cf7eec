//! Calls of a database, by the conventions' requirement levels.

use crate::collected;
use std::collections::BTreeMap;
use telemetry::database::{Database, Operation, OperationBuilder, PoolState, System};
use telemetry::testing::{Kind, Span, Status, Value};
use telemetry::{Telemetry, context};

/// The attributes of one span, as `key=value` lines.
fn said(span: &Span) -> Vec<String> {
    let show = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let attributes: &BTreeMap<_, _> = &span.attributes;
    attributes
        .iter()
        .map(|(key, value)| format!("{key}={}", show(value)))
        .collect()
}

/// The labels of every series of `db.client.operation.duration`.
fn series(telemetry: &Telemetry) -> Vec<String> {
    let page = telemetry.metrics_page(None).body;
    let count = "db_client_operation_duration_seconds_count";
    let lines = page.lines().filter_map(|line| line.strip_prefix(count));
    lines.map(str::to_owned).collect()
}

struct Case {
    database: fn(Database) -> Database,
    call: fn(&Database) -> OperationBuilder<'_>,
    end: fn(Operation),
    name: &'static str,
    attributes: &'static [&'static str],
    labels: &'static str,
}

#[tokio::test]
async fn names_attributes_and_labels_are_the_conventions() {
    let cases = [
        // Required alone.
        Case {
            database: |db| db,
            call: |db| db.operation(""),
            end: Operation::finish,
            name: "sqlite",
            attributes: &["db.system.name=sqlite"],
            labels: "{db_system_name=\"sqlite\"} 1",
        },
        // The name is `{operation} {target}`, and the target what is known.
        Case {
            database: |db| db.namespace("city").server("db.city", 5000),
            call: |db| db.operation("SELECT").collection("orders"),
            end: Operation::finish,
            name: "SELECT orders",
            attributes: &[
                "db.collection.name=orders",
                "db.namespace=city",
                "db.operation.name=SELECT",
                "db.system.name=sqlite",
                "server.address=db.city",
                "server.port=5000",
            ],
            labels: "{db_system_name=\"sqlite\",db_namespace=\"city\",db_operation_name=\"SELECT\",\
                     db_collection_name=\"orders\",server_address=\"db.city\",server_port=\"5000\"} 1",
        },
        Case {
            database: |db| db.namespace("city").server("db.city", 5000),
            call: |db| db.operation("BEGIN"),
            end: Operation::finish,
            name: "BEGIN city",
            attributes: &[
                "db.namespace=city",
                "db.operation.name=BEGIN",
                "db.system.name=sqlite",
                "server.address=db.city",
                "server.port=5000",
            ],
            labels: "{db_system_name=\"sqlite\",db_namespace=\"city\",db_operation_name=\"BEGIN\",\
                     server_address=\"db.city\",server_port=\"5000\"} 1",
        },
        Case {
            database: |db| db.server("db.city", 5000),
            call: |db| db.operation("PING"),
            end: Operation::finish,
            name: "PING db.city:5000",
            attributes: &[
                "db.operation.name=PING",
                "db.system.name=sqlite",
                "server.address=db.city",
                "server.port=5000",
            ],
            labels: "{db_system_name=\"sqlite\",db_operation_name=\"PING\",\
                     server_address=\"db.city\",server_port=\"5000\"} 1",
        },
        // The summary comes first: given, of the operation, or of the statement.
        Case {
            database: |db| db.namespace("city"),
            call: |db| db.operation("BEGIN").summarised(),
            end: Operation::finish,
            name: "BEGIN",
            attributes: &[
                "db.namespace=city",
                "db.operation.name=BEGIN",
                "db.query.summary=BEGIN",
                "db.system.name=sqlite",
            ],
            labels: "{db_system_name=\"sqlite\",db_namespace=\"city\",db_operation_name=\"BEGIN\",\
                     db_query_summary=\"BEGIN\"} 1",
        },
        Case {
            database: |db| db,
            call: |db| {
                let sql = "SELECT a FROM orders JOIN items ON b = c WHERE d = $1 LIMIT 5";
                db.operation("").query(sql)
            },
            end: |mut call| {
                call.returned_rows(4);
                call.finish();
            },
            name: "SELECT orders items",
            attributes: &[
                "db.query.summary=SELECT orders items",
                "db.query.text=SELECT a FROM orders JOIN items ON b = c WHERE d = $1 LIMIT 5",
                "db.response.returned_rows=4",
                "db.system.name=sqlite",
            ],
            labels: "{db_system_name=\"sqlite\",db_query_summary=\"SELECT orders items\"} 1",
        },
        // What is put together shows no value, and makes no label.
        Case {
            database: |db| db,
            call: |db| {
                db.operation("")
                    .dynamic_query("DELETE FROM orders WHERE name = 'secret'")
            },
            end: Operation::finish,
            name: "DELETE orders",
            attributes: &[
                "db.query.summary=DELETE orders",
                "db.query.text=DELETE FROM orders WHERE name = ?",
                "db.system.name=sqlite",
            ],
            labels: "{db_system_name=\"sqlite\"} 1",
        },
        // Batches: empty ones are, one alone is not.
        Case {
            database: |db| db,
            call: |db| {
                db.operation("INSERT")
                    .collection("orders")
                    .summarised()
                    .batch(3)
            },
            end: Operation::finish,
            name: "BATCH INSERT orders",
            attributes: &[
                "db.collection.name=orders",
                "db.operation.batch.size=3",
                "db.operation.name=BATCH INSERT",
                "db.query.summary=BATCH INSERT orders",
                "db.system.name=sqlite",
            ],
            labels: "{db_system_name=\"sqlite\",db_operation_name=\"BATCH INSERT\",\
                     db_collection_name=\"orders\",db_query_summary=\"BATCH INSERT orders\"} 1",
        },
        Case {
            database: |db| db,
            call: |db| db.operation("").batch(0),
            end: Operation::finish,
            name: "BATCH",
            attributes: &[
                "db.operation.batch.size=0",
                "db.operation.name=BATCH",
                "db.system.name=sqlite",
            ],
            labels: "{db_system_name=\"sqlite\",db_operation_name=\"BATCH\"} 1",
        },
        Case {
            database: |db| db,
            call: |db| db.operation("INSERT").batch(1),
            end: Operation::finish,
            name: "INSERT",
            attributes: &["db.operation.name=INSERT", "db.system.name=sqlite"],
            labels: "{db_system_name=\"sqlite\",db_operation_name=\"INSERT\"} 1",
        },
        // Failures.
        Case {
            database: |db| db,
            call: |db| db.operation("INSERT"),
            end: |call| call.fail_with_code("2067"),
            name: "INSERT",
            attributes: &[
                "db.operation.name=INSERT",
                "db.response.status_code=2067",
                "db.system.name=sqlite",
                "error.type=2067",
            ],
            labels: "{db_system_name=\"sqlite\",db_operation_name=\"INSERT\",\
                     db_response_status_code=\"2067\",error_type=\"2067\"} 1",
        },
        Case {
            database: |db| db,
            call: |db| db.operation("INSERT"),
            end: |call| call.fail("pool_timeout"),
            name: "INSERT",
            attributes: &[
                "db.operation.name=INSERT",
                "db.system.name=sqlite",
                "error.type=pool_timeout",
            ],
            labels: "{db_system_name=\"sqlite\",db_operation_name=\"INSERT\",\
                     error_type=\"pool_timeout\"} 1",
        },
        Case {
            database: |db| db,
            call: |db| db.operation("INSERT"),
            end: drop,
            name: "INSERT",
            attributes: &[
                "db.operation.name=INSERT",
                "db.system.name=sqlite",
                "error.type=cancelled",
            ],
            labels: "{db_system_name=\"sqlite\",db_operation_name=\"INSERT\",\
                     error_type=\"cancelled\"} 1",
        },
    ];
    for case in cases {
        let (telemetry, collector) = collected("orders");
        let database = (case.database)(telemetry.database(System::SQLITE));
        (case.end)((case.call)(&database).start());
        let [span] = &collector.spans().await[..] else {
            panic!("not one span")
        };
        assert_eq!(span.name, case.name);
        assert_eq!(said(span), case.attributes, "{}", case.name);
        assert_eq!(span.kind, Kind::Client);
        let failed = span.text("error.type").is_some();
        let status = if failed {
            Status::Error(String::new())
        } else {
            Status::Unset
        };
        assert_eq!(span.status, status);
        assert_eq!(series(&telemetry), [case.labels], "{}", case.name);
    }
}

#[tokio::test]
async fn a_systems_own_port_needs_no_mention() {
    let (telemetry, collector) = collected("orders");
    let database = telemetry
        .database(System::POSTGRESQL)
        .server("db.city", 5432);
    database.operation("SELECT").start().finish();
    let spans = collector.spans().await;
    assert_eq!(spans[0].text("server.address"), Some("db.city"));
    assert_eq!(spans[0].number("server.port"), None);
    assert_eq!(spans[0].name, "SELECT db.city");
}

#[tokio::test]
async fn a_call_is_a_child_and_what_it_does_is_below_it() {
    let (telemetry, collector) = collected("orders");
    let database = telemetry.database(System::REDIS).within_traces_only();
    database.operation("GET").start().finish();
    assert_eq!(collector.spans().await, [], "nobody's request");

    let request = telemetry.span("request").start();
    request
        .in_scope(async {
            let call = database.operation("GET").start();
            let inside = call.in_scope(async { context::current() }).await;
            assert_ne!(inside, Some(request.context()));
            call.finish();
        })
        .await;
    drop(request);
    let tree = telemetry::testing::Tree::one(collector.spans().await);
    tree.assert_shape("orders request\n  orders GET");
    let labels = "{db_system_name=\"redis\",db_operation_name=\"GET\"} 2";
    assert_eq!(series(&telemetry), [labels], "both are counted");
    let page = telemetry.metrics_page(Some("application/openmetrics-text"));
    let span = tree.span("GET");
    let exemplar = format!(
        "trace_id=\"{}\",span_id=\"{}\"",
        span.trace_id, span.span_id
    );
    let bucket = page.body.lines().find(|line| line.contains(&exemplar));
    assert!(bucket.is_some_and(|line| line.starts_with("db_client_operation_duration")));
}

#[tokio::test]
async fn buckets_are_the_conventions_and_codes_do_not_grow_without_end() {
    let (telemetry, _collector) = collected("orders");
    let database = telemetry.database(System::MYSQL);
    for code in 0..1_000 {
        database
            .operation("SELECT")
            .start()
            .fail_with_code(&code.to_string());
    }
    let series = series(&telemetry);
    assert_eq!(series.len(), 101);
    let rest = "db_response_status_code=\"_OTHER\",error_type=\"_OTHER\"} 900";
    assert!(series.iter().any(|line| line.ends_with(rest)), "{series:?}");
    let page = telemetry.metrics_page(None).body;
    let other = page.lines().filter(|line| {
        line.starts_with("db_client_operation_duration_seconds_bucket") && line.contains("_OTHER")
    });
    let bounds: Vec<_> = other
        .filter_map(|line| line.split_once("le=\"")?.1.split_once('"'))
        .map(|(bound, _)| bound)
        .collect();
    let expected = [
        "0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1.0", "5.0", "10.0", "+Inf",
    ];
    assert_eq!(bounds, expected);
}

#[tokio::test]
async fn pools_are_asked_as_long_as_they_are_there() {
    let (telemetry, _collector) = collected("orders");
    let database = telemetry.database(System::SQLITE);
    let pool = database.pool("orders", || PoolState {
        idle: 3,
        used: 1,
        max: Some(4),
        idle_min: Some(0),
        pending_requests: Some(2),
        idle_max: None,
    });
    let second = pool.clone();
    drop(pool);
    second.timed_out();
    second.waited(std::time::Duration::from_millis(2));
    let page = telemetry.metrics_page(None).body;
    let label = "db_client_connection_pool_name=\"orders\"";
    for line in [
        format!("db_client_connections{{{label},db_client_connection_state=\"idle\"}} 3"),
        format!("db_client_connections{{{label},db_client_connection_state=\"used\"}} 1"),
        format!("db_client_connection_max{{{label}}} 4"),
        format!("db_client_connection_idle_min{{{label}}} 0"),
        format!("db_client_connection_pending_requests{{{label}}} 2"),
        format!("db_client_connection_timeouts_total{{{label}}} 1"),
        format!("db_client_connection_wait_time_seconds_count{{{label}}} 1"),
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    assert!(
        !page.contains("db_client_connection_idle_max"),
        "nobody knows it"
    );
    assert!(
        !page.contains("db_client_connection_use_time"),
        "nobody measures it"
    );
    drop(second);
    let page = telemetry.metrics_page(None).body;
    assert!(!page.contains("db_client_connections"));
    assert!(
        page.contains("db_client_connection_timeouts_total"),
        "counters stay"
    );
}

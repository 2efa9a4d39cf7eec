//! What the variables about time, number and TLS bound, seen from outside: by a collector that
//! never answers, by one that counts requests, by the first byte of a connection.

use crate::collector::Collector;
use crate::environment::{Receiver, one_span, settings};
use crate::exposition::parse;
use crate::logs::{is_child, run};
use std::time::Duration;
use telemetry::{DropReason, Service, Telemetry};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// What the variables under test say is over long before, and what the others say is not.
const SOON: Duration = Duration::from_secs(8);
const ATTEMPT: &str = "OTEL_EXPORTER_OTLP_TIMEOUT";
const LONG: &str = "3600000";
/// Of `PRI * HTTP/2.0`.
const HTTP: u8 = b'P';
/// Of a record of TLS that begins a handshake.
#[cfg(feature = "tls")]
const HANDSHAKE: u8 = 22;

/// The first of several values of a variable counts. Only a process of its own has a subscriber.
fn start(variables: &[(&str, &str)]) -> Telemetry {
    let service = Service::new("orders", "1.2.3");
    let builder = Telemetry::builder(service).settings(settings(variables));
    let builder = match is_child() {
        true => builder,
        false => builder.without_subscriber(),
    };
    builder.build().unwrap()
}

/// A record, which belongs to this telemetry and not to another one of the process.
async fn record(telemetry: &Telemetry) {
    telemetry.untraced(async { tracing::info!("sold") }).await;
}

/// Something to send for any signal.
async fn work(telemetry: &Telemetry) {
    one_span(telemetry);
    record(telemetry).await;
}

/// An attempt that is never answered ends, and there is another.
async fn tries_again(receiver: &Receiver, variables: &[(&str, &str)]) {
    let telemetry = start(variables);
    work(&telemetry).await;
    let again = async {
        while receiver.requests().len() < 2 {
            telemetry.flush().await;
        }
    };
    timeout(SOON, again)
        .await
        .unwrap_or_else(|_| panic!("no second attempt with {variables:?}"));
    let counts = [telemetry.counts(), telemetry.log_counts()];
    assert!(counts.iter().all(|counts| counts.exported == 0));
}

async fn attempts_end_in_time(signal: &str) {
    let exporter = format!("OTEL_{signal}_EXPORTER");
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_TIMEOUT");
    for protocol in ["http/protobuf", "grpc"] {
        for timeouts in [[(ATTEMPT, "50"); 2], [(&own, "50"), (ATTEMPT, LONG)]] {
            let (receiver, endpoint) = Receiver::start_silent().await;
            let mut variables = vec![
                (exporter.as_str(), "otlp"),
                ("OTEL_TRACES_EXPORTER", "none"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ];
            variables.extend(timeouts);
            tries_again(&receiver, &variables).await;
            for request in receiver.requests() {
                let told = request.headers.get("grpc-timeout");
                let told = told.map(|told| told.to_str().unwrap());
                assert_eq!(told, (protocol == "grpc").then_some("50m"));
            }
        }
    }
}

#[tokio::test]
async fn an_attempt_to_send_spans_ends_in_time() {
    attempts_end_in_time("TRACES").await;
    let (receiver, endpoint) = Receiver::start_silent().await;
    let variables = [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "50"),
        (ATTEMPT, LONG),
    ];
    tries_again(&receiver, &variables).await;
}

#[tokio::test]
async fn a_push_of_metrics_ends_in_time() {
    let own = "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT";
    let push = "OTEL_METRIC_EXPORT_TIMEOUT";
    for timeouts in [
        [(ATTEMPT, "50"), (push, LONG)],
        [(own, "50"), (ATTEMPT, LONG)],
        [(push, "50"), (ATTEMPT, LONG)],
    ] {
        let (_receiver, endpoint) = Receiver::start_silent().await;
        let mut variables = vec![
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ];
        variables.extend(timeouts);
        let telemetry = start(&variables);
        timeout(SOON, telemetry.flush())
            .await
            .unwrap_or_else(|_| panic!("still pushing with {timeouts:?}"));
        let page = telemetry.metrics_page(Some("application/openmetrics-text"));
        let lost = parse(&page.body, true);
        let lost = lost.one(
            "otel_sdk_exporter_metric_data_point_exported_total",
            &[("error_type", "timeout")],
        );
        assert!(lost.value > 0.0, "{timeouts:?}");
    }
}

#[tokio::test]
async fn metrics_are_pushed_in_their_interval() {
    let (receiver, endpoint) = Receiver::start().await;
    let _telemetry = start(&[
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_METRIC_EXPORT_INTERVAL", "20"),
    ]);
    let pushes = receiver.arrived(5);
    timeout(Duration::from_secs(30), pushes).await.unwrap();
    let requests = receiver.requests();
    assert!(requests.iter().all(|request| request.path == "/v1/metrics"));
}

/// The first byte that gRPC sends to an endpoint without scheme.
async fn first_byte(signal: &str, insecure: &[(&str, &str)]) -> u8 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    let exporter = format!("OTEL_{signal}_EXPORTER");
    let mut variables = vec![
        (exporter.as_str(), "otlp"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ];
    variables.extend(insecure);
    let telemetry = start(&variables);
    work(&telemetry).await;
    let byte = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap()
    };
    let both = async { tokio::join!(telemetry.flush(), byte) };
    let ((), byte) = timeout(Duration::from_secs(30), both).await.unwrap();
    byte
}

async fn tls_is_left_out_where_told(signal: &str) {
    const ALL: &str = "OTEL_EXPORTER_OTLP_INSECURE";
    let own = format!("OTEL_EXPORTER_OTLP_{signal}_INSECURE");
    for (insecure, expected) in [
        (vec![(ALL, "true")], HTTP),
        (vec![(own.as_str(), "true"), (ALL, "false")], HTTP),
        #[cfg(feature = "tls")]
        (vec![(own.as_str(), "false"), (ALL, "true")], HANDSHAKE),
        #[cfg(feature = "tls")]
        (vec![], HANDSHAKE),
    ] {
        let byte = first_byte(signal, &insecure).await;
        assert_eq!(byte, expected, "{signal} with {insecure:?}");
    }
}

#[tokio::test]
async fn grpc_goes_without_tls_where_told() {
    for signal in ["TRACES", "METRICS"] {
        tls_is_left_out_where_told(signal).await;
    }
    let collector = Collector::start().await;
    let telemetry = start(&[
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            &collector.address.to_string(),
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "True"),
    ]);
    one_span(&telemetry);
    let report = telemetry.shutdown(Duration::from_secs(10)).await;
    assert_eq!((report.spans.exported, collector.asked()), (1, 1));
}

/// Log records that go to `endpoint`, and nothing else.
fn start_logs(endpoint: &str, variables: &[(&str, &str)]) -> Telemetry {
    let mut all = vec![
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
    ];
    all.extend(variables);
    start(&all)
}

/// With the default delay of a second each, the records would not be there by then.
async fn records_wait_no_longer_than_told() {
    let (receiver, endpoint) = Receiver::start().await;
    let telemetry = start_logs(&endpoint, &[("OTEL_BLRP_SCHEDULE_DELAY", "5")]);
    let all = async {
        for number in 1..=60 {
            record(&telemetry).await;
            receiver.arrived(number).await;
        }
    };
    timeout(Duration::from_secs(30), all).await.unwrap();
}

async fn requests_are_given_up_in_time() {
    let (_receiver, endpoint) = Receiver::start_silent().await;
    let telemetry = start_logs(&endpoint, &[("OTEL_BLRP_EXPORT_TIMEOUT", "50")]);
    record(&telemetry).await;
    let lost = || {
        telemetry
            .log_counts()
            .dropped_for(DropReason::RetriesExhausted)
    };
    let given_up = async {
        while lost() == 0 {
            telemetry.flush().await;
        }
    };
    timeout(SOON, given_up).await.unwrap();
    assert_eq!(lost(), 1);
}

async fn no_more_records_wait_than_told() {
    for (queue, queued) in [(vec![("OTEL_BLRP_MAX_QUEUE_SIZE", "4")], 4), (vec![], 50)] {
        let (_receiver, endpoint) = Receiver::start_silent().await;
        let mut variables = vec![("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "1")];
        variables.extend(queue);
        let telemetry = start_logs(&endpoint, &variables);
        for _ in 0..50 {
            record(&telemetry).await;
        }
        let counts = telemetry.log_counts();
        let dropped = counts.dropped_for(DropReason::QueueFull);
        assert_eq!((counts.queued, dropped), (queued, 50 - queued));
    }
}

/// Records need a subscriber, which is the process's: this is the process.
#[tokio::test]
async fn child_that_exports_records() {
    if !is_child() {
        return;
    }
    attempts_end_in_time("LOGS").await;
    tls_is_left_out_where_told("LOGS").await;
    records_wait_no_longer_than_told().await;
    requests_are_given_up_in_time().await;
    no_more_records_wait_than_told().await;
}

#[test]
fn log_records_keep_to_their_bounds() {
    run("bounds::child_that_exports_records");
}

//! Collectors that are dead, or take a connection and never answer.

use crate::collector::{Collector, Say, settings};
use crate::export::{build, span};
use crate::exposition;
use crate::logs::{is_child, json_of};
use axum::http::StatusCode;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use telemetry::settings::{Compression, Protocol};
use telemetry::{DropReason, Format, Service, Settings, SpanCounts, Telemetry};
use tokio::net::TcpListener;

/// An address where nobody listens yet.
async fn dead() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}

/// An address where connections are taken and nothing is ever said.
async fn black_hole() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    address
}

fn small(address: SocketAddr, protocol: Protocol) -> Settings {
    let mut settings = settings(address, protocol, Compression::None);
    settings.traces.queue.max_bytes = 200_000;
    settings
}

fn adds_up(counts: &SpanCounts) {
    assert_eq!(
        counts.produced,
        counts.exported + counts.dropped() + counts.queued,
        "{counts:?}"
    );
}

fn flood(telemetry: &Telemetry, spans: u64) {
    for n in 0..spans {
        span(telemetry, "/orders/7", StatusCode::OK);
        if n % 20 == 0 {
            let counts = telemetry.counts();
            adds_up(&counts);
            assert!(counts.queued_bytes <= 200_000, "{counts:?}");
        }
    }
}

/// One way for a collector to be down: what a service produces in two seconds at 2,000 and at
/// 20,000 spans a second, and the truth about it in the end.
async fn row(protocol: Protocol, address: SocketAddr) {
    for produced in [4_000, 40_000] {
        let telemetry = build(small(address, protocol));
        flood(&telemetry, produced);
        let counts = telemetry.counts();
        assert_eq!((counts.produced, counts.exported), (produced, 0));
        // The queue is full of the oldest; the newest are lost.
        assert!(counts.queued > 100, "{counts:?}");
        let lost = counts.dropped_for(DropReason::QueueFull);
        assert_eq!(lost, counts.dropped());
        assert!(lost > produced - 2_000, "{counts:?}");
        let deadline = Duration::from_millis(400);
        let begun = Instant::now();
        let report = telemetry.shutdown(deadline).await;
        // Loose, for a machine under load: without a deadline it would be ten seconds.
        let elapsed = begun.elapsed();
        assert!(elapsed < deadline + Duration::from_secs(3), "{report}");
        let spans = report.spans;
        assert_eq!((spans.produced, spans.queued), (produced, 0));
        assert_eq!((spans.exported, spans.dropped()), (0, produced));
        assert!(spans.dropped_for(DropReason::Shutdown) > 100, "{report}");
        span(&telemetry, "/too-late", StatusCode::OK);
        let counts = telemetry.counts();
        adds_up(&counts);
        assert_eq!((counts.produced, counts.queued), (produced + 1, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn port_refused_over_http() {
    row(Protocol::HttpProtobuf, dead().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn port_refused_over_grpc() {
    row(Protocol::Grpc, dead().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn black_hole_over_http() {
    row(Protocol::HttpProtobuf, black_hole().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn black_hole_over_grpc() {
    row(Protocol::Grpc, black_hole().await).await;
}

/// The state in which the breaker is.
fn breaker(telemetry: &Telemetry) -> String {
    let page = exposition::parse(&telemetry.metrics_page(None).body, false);
    let states = page.named("citywatch_exporter_breaker_state");
    let on: Vec<_> = states.iter().filter(|state| state.value > 0.0).collect();
    assert_eq!(on.len(), 1, "{states:?}");
    on[0].labels["state"].clone()
}

const CHILD_LINES: [&str; 3] = [
    "data waits for the collector",
    "collector is away, left alone for growing pauses",
    "collector answers again",
];

#[tokio::test]
async fn child_whose_collector_is_away_for_a_while() {
    if !is_child() {
        return;
    }
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let mut settings = small(address, protocol);
        settings.traces.otlp.as_mut().unwrap().timeout = Duration::from_millis(50);
        let telemetry = Telemetry::builder(Service::new("orders", "1.2.3"))
            .settings(settings)
            .log_format(Format::Json)
            .build()
            .unwrap();
        span(&telemetry, "/", StatusCode::OK);
        // Nobody takes the connection up, then nobody listens: each flush is an attempt.
        for _ in 0..6 {
            telemetry.flush().await;
        }
        drop(silent);
        for _ in 0..20 {
            telemetry.flush().await;
        }
        assert_eq!(breaker(&telemetry), "open");
        assert_eq!(telemetry.counts().queued, 1);
        let collector = Collector::start_on(address).await;
        // On a busy machine its answer may take longer than the 50 ms that an attempt has.
        while breaker(&telemetry) != "closed" {
            telemetry.flush().await;
        }
        collector.spans(1).await;
        let report = telemetry.shutdown(Duration::from_secs(5)).await;
        assert!(report.is_complete(), "{report}");
    }
}

#[test]
fn an_outage_is_three_lines_however_long_it_is() {
    let lines = json_of("outage::child_whose_collector_is_away_for_a_while");
    let said: Vec<_> = lines
        .iter()
        .filter_map(|line| line["message"].as_str())
        .filter(|message| message.contains("collector"))
        .collect();
    assert_eq!(said, [CHILD_LINES, CHILD_LINES].concat());
}

#[tokio::test]
async fn a_collector_that_asks_for_peace_gets_it() {
    let collector = Collector::start().await;
    collector.say([Say::RetryAfter(3_600)]);
    let telemetry = build(small(collector.address, Protocol::HttpProtobuf));
    span(&telemetry, "/", StatusCode::OK);
    for _ in 0..5 {
        telemetry.flush().await;
    }
    assert_eq!(collector.asked(), 1);
    // There is nothing to wait for.
    let report = telemetry.shutdown(Duration::from_secs(600)).await;
    assert_eq!(collector.asked(), 1);
    let lost = report.spans.dropped_for(DropReason::Shutdown);
    assert_eq!(lost, 1, "{report}");
}

#[tokio::test]
async fn shutdowns_and_flushes_do_not_wait_for_each_other() {
    for address in [dead().await, black_hole().await] {
        let telemetry = build(small(address, Protocol::HttpProtobuf));
        flood(&telemetry, 100);
        let flush = {
            let telemetry = telemetry.clone();
            tokio::spawn(async move { telemetry.flush().await })
        };
        let short = Duration::from_millis(200);
        let (first, second) = tokio::join!(
            telemetry.shutdown(Duration::from_secs(600)),
            telemetry.shutdown(short),
        );
        for report in [first, second, telemetry.shutdown(short).await] {
            assert_eq!((report.spans.produced, report.spans.queued), (100, 0));
            assert_eq!(report.spans.dropped_for(DropReason::Shutdown), 100);
        }
        flush.await.unwrap();
        telemetry.flush().await;
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_handshake_that_is_never_answered_holds_nothing_up() {
    let address = black_hole().await;
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let mut settings = small(address, protocol);
        let otlp = settings.traces.otlp.as_mut().unwrap();
        otlp.timeout = Duration::from_secs(600);
        otlp.endpoint = format!("https://{address}/v1/traces").parse().unwrap();
        let telemetry = build(settings);
        flood(&telemetry, 100);
        let report = telemetry.shutdown(Duration::from_millis(200)).await;
        let lost = report.spans.dropped_for(DropReason::Shutdown);
        assert_eq!((lost, report.spans.queued), (100, 0), "{report}");
    }
}

#[tokio::test]
async fn telemetry_that_is_dropped_still_delivers() {
    let collector = Collector::start().await;
    let telemetry = build(small(collector.address, Protocol::Grpc));
    span(&telemetry, "/", StatusCode::OK);
    drop(telemetry);
    collector.spans(1).await;
}

#[tokio::test]
async fn a_collector_that_comes_back_gets_what_waited() {
    let address = dead().await;
    let telemetry = build(small(address, Protocol::HttpProtobuf));
    span(&telemetry, "/", StatusCode::OK);
    telemetry.flush().await;
    assert_eq!(telemetry.counts().queued, 1);
    let collector = Collector::start_on(address).await;
    collector.spans(1).await;
    let report = telemetry.shutdown(Duration::from_secs(5)).await;
    assert_eq!(
        (report.spans.exported, report.spans.dropped()),
        (1, 0),
        "{report}"
    );
}

#[tokio::test]
async fn a_restarted_collector_is_found_again() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let telemetry = build(small(address, protocol));
        span(&telemetry, "/", StatusCode::OK);
        // It takes the connection, then dies before it answers.
        drop(listener.accept().await.unwrap());
        drop(listener);
        let collector = Collector::start_on(address).await;
        collector.spans(1).await;
        let report = telemetry.shutdown(Duration::from_secs(5)).await;
        assert_eq!(
            (report.spans.exported, report.spans.dropped()),
            (1, 0),
            "{report}"
        );
    }
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_the_next_attempt() {
    let address = dead().await;
    let telemetry = build(small(address, Protocol::HttpProtobuf));
    span(&telemetry, "/", StatusCode::OK);
    telemetry.flush().await;
    let collector = Collector::start_on(address).await;
    let report = telemetry.shutdown(Duration::from_secs(10)).await;
    assert_eq!(
        (report.spans.exported, report.spans.dropped()),
        (1, 0),
        "{report}"
    );
    collector.spans(1).await;
}

#[tokio::test]
async fn retries_come_to_an_end() {
    let mut settings = small(dead().await, Protocol::HttpProtobuf);
    settings.traces.queue.retry_for = Duration::from_millis(1);
    let telemetry = build(settings);
    span(&telemetry, "/", StatusCode::OK);
    telemetry.flush().await;
    let report = telemetry.shutdown(Duration::from_secs(5)).await;
    assert_eq!(
        report.spans.dropped_for(DropReason::RetriesExhausted),
        1,
        "{report}"
    );
}

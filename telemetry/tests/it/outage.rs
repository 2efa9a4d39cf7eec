//! Collectors that are dead, or take a connection and never answer.

use crate::collector::{Collector, settings};
use crate::export::{build, span};
use axum::http::StatusCode;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use telemetry::settings::{Compression, Protocol};
use telemetry::{DropReason, Settings, SpanCounts, Telemetry};
use tokio::net::TcpListener;

/// An address where nobody listens.
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
    for _ in 0..spans {
        span(telemetry, "/orders/7", StatusCode::OK);
        let counts = telemetry.counts();
        adds_up(&counts);
        assert!(counts.queued_bytes <= 200_000, "{counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded_counts_are_exact_and_shutdown_is_on_time() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        for address in [dead().await, black_hole().await] {
            let telemetry = build(small(address, protocol));
            flood(&telemetry, 5_000);
            let counts = telemetry.counts();
            assert_eq!(counts.produced, 5_000);
            assert!(
                counts.dropped_for(DropReason::QueueFull) > 3_000,
                "{counts:?}"
            );
            let deadline = Duration::from_millis(400);
            let begun = Instant::now();
            let report = telemetry.shutdown(deadline).await;
            // Loose, for a machine under load: without a deadline it would be ten seconds.
            assert!(
                begun.elapsed() < deadline + Duration::from_secs(3),
                "{report}"
            );
            assert_eq!(report.spans.produced, 5_000);
            assert_eq!(report.spans.queued, 0);
            assert_eq!(report.spans.exported, 0);
            assert_eq!(report.spans.dropped(), 5_000);
            assert!(
                report.spans.dropped_for(DropReason::Shutdown) > 0,
                "{report}"
            );
            span(&telemetry, "/too-late", StatusCode::OK);
            let counts = telemetry.counts();
            adds_up(&counts);
            assert_eq!(counts.produced, 5_001);
            assert_eq!(counts.queued, 0);
        }
    }
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

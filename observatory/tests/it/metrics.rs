//! The observatory's own numbers.

use serde_json::json;

use crate::samples::{NOON, encoded, span};
use crate::sut::{Sut, TRACES};

fn value(page: &str, series: &str) -> Option<f64> {
    let name = format!("citywatch_observatory_{series}");
    let line = page.lines().find(|line| {
        line.strip_prefix(&name)
            .is_some_and(|rest| rest.starts_with(' '))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn every_series_is_there_before_the_first_event() {
    let sut = Sut::start().await;
    let page = sut.running.metrics().await;
    for series in [
        "spans_received_total",
        "spans_accepted_total",
        "spans_rejected_total{reason=\"invalid_trace_id\"}",
        "spans_rejected_total{reason=\"invalid_span_id\"}",
        "spans_rejected_total{reason=\"invalid_parent_span_id\"}",
        "spans_rejected_total{reason=\"trace_too_large\"}",
        "spans_evicted_total",
        "traces_evicted_total",
        "store_bytes",
        "traces",
        "spans",
        "otlp_requests_total{outcome=\"rejected\",signal=\"logs\",transport=\"http\"}",
    ] {
        assert_eq!(value(&page, series), Some(0.0), "{series}\n{page}");
    }
    assert_eq!(value(&page, "store_limit_bytes"), Some((64 << 20) as f64));
}

#[tokio::test]
async fn what_happens_is_counted() {
    let sut = Sut::with(json!({"store_bytes": 100_000})).await;
    for trace in 1..=300 {
        let mut bad = span(trace, 2, 0, "bad", NOON, 9);
        bad.span_id.clear();
        let good = span(trace, 1, 0, &"x".repeat(500), NOON, 9);
        sut.call(TRACES, &encoded("shop", vec![good, bad])).await;
    }
    sut.post("/v1/logs", "x").send().await.unwrap();
    let page = sut.running.metrics().await;
    let value = |series: &str| value(&page, series).unwrap();
    assert_eq!(value("spans_received_total"), 600.0);
    assert_eq!(value("spans_accepted_total"), 300.0);
    assert_eq!(
        value("spans_rejected_total{reason=\"invalid_span_id\"}"),
        300.0
    );
    assert!(value("store_bytes") <= 100_000.0);
    assert!(value("spans_evicted_total") > 0.0);
    assert_eq!(value("spans_evicted_total") + value("spans"), 300.0);
    assert_eq!(value("traces_evicted_total") + value("traces"), 300.0);
    let requests = |labels: &str| value(&format!("otlp_requests_total{{{labels}}}"));
    assert_eq!(
        requests("outcome=\"partial\",signal=\"traces\",transport=\"grpc\""),
        300.0
    );
    assert_eq!(
        requests("outcome=\"discarded\",signal=\"logs\",transport=\"http\""),
        1.0
    );
}

#[tokio::test]
async fn its_own_ingest_leaves_no_span() {
    let sut = Sut::start().await;
    sut.call(TRACES, &encoded("shop", vec![span(1, 1, 0, "x", NOON, 9)]))
        .await;
    sut.post("/v1/traces", "").send().await.unwrap();
    sut.json("/api/services").await;
    let paths: Vec<_> = sut
        .running
        .spans()
        .await
        .into_iter()
        .map(|span| span.name)
        .collect();
    assert!(
        paths.iter().all(|name| name.starts_with("GET")),
        "only queries are traced: {paths:?}"
    );
}

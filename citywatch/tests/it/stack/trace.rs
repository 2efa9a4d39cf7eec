//! One order, found again in every tool that watches, and all requests, counted twice.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::Value;

use super::super::aftermath::trace::{SERVICES, the_waits_are_told, whole};
use super::super::harness::{City, within};
use super::accounts::{accepted, quiet};
use super::{SEEN, order, prometheus, query_by, query_one, raise, same_in_both, services};

/// How far the two counts may be apart.
const TOLERANCE: f64 = 0.01;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_found_in_every_tool() {
    // Longer than what makes a trace a slow one, which is kept.
    let slow = ("ACQUIRER_DELAY_MS", "550");
    let Some(city) = raise(&[], &[slow]).await else {
        return;
    };
    let token = city.member("mina@example.com").await;
    let id = order(&city, &token, "the-only-order").await;
    // To the last who hears of it, with what each has waited for; then no more is to come.
    for tool in ["observatory", "jaeger"] {
        the_waits_are_told(&whole(&city, tool, &id).await);
    }
    let spans = same_in_both(&city, &id, &SERVICES).await;
    println!(
        "{} spans of order {id} in Jaeger and in the observatory",
        spans.len()
    );
    ask_those_who_live_by_events(&city, &token).await;
    every_service_is_measured(&city).await;
    an_exemplar_is_the_orders_trace(&city, &id).await;
    spans_are_counted_as_often_as_requests(&city).await;
    city.stop().await;
}

/// An order goes on without a request to any of them.
async fn ask_those_who_live_by_events(city: &City, token: &str) {
    let any = "0190aaaa-0000-7000-8000-000000000000";
    for path in [
        "/api/posts",
        "/api/notifications",
        &format!("/api/shipments/{any}"),
        &format!("/api/products/{any}/recommendations"),
    ] {
        let answer = city.as_member(Method::GET, path, token).await;
        assert!(!answer.status().is_server_error(), "{path}: {answer:?}");
    }
}

async fn every_service_is_measured(city: &City) {
    let measured = "count by (job) (http_server_request_duration_seconds_count)";
    let all = services(city);
    let found = within(SEEN, async || {
        let found = query_by(city, "job", measured).await;
        all.iter().all(|service| found.contains_key(service))
    });
    let found = found.await.is_some();
    assert!(
        found,
        "{all:?}: {:?}",
        query_by(city, "job", measured).await
    );
}

/// The way from a point on a graph to the trace that it was.
async fn an_exemplar_is_the_orders_trace(city: &City, id: &str) {
    let mut last = Value::Null;
    let found = within(SEEN, async || {
        last = exemplars(
            city,
            "http_server_request_duration_seconds_bucket{job=\"orders\"}",
        )
        .await;
        let series = last.as_array().into_iter().flatten();
        let mut exemplars = series.flat_map(|series| series["exemplars"].as_array().unwrap());
        exemplars.any(|exemplar| exemplar["labels"]["trace_id"] == id)
    });
    assert!(found.await.is_some(), "no exemplar of {id}: {last:#}");
}

async fn exemplars(city: &City, selector: &str) -> Value {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let (start, end) = ((now - 600).to_string(), (now + 60).to_string());
    let question = [("query", selector), ("start", &start), ("end", &end)];
    prometheus(city, "query_exemplars", &question).await
}

/// The registry is asked all the time, for what is not traced: it is left out.
const REQUESTS: &str =
    r#"sum by (job) (http_server_request_duration_seconds_count{job!="registry"})"#;
const SERVER_SPANS: &str = r#"sum by (job)
    (traces_span_metrics_calls_total{span_kind="SPAN_KIND_SERVER", job!="registry"})"#;
const ALL_SPANS: &str = "sum(traces_span_metrics_calls_total)";
async fn spans_are_counted_as_often_as_requests(city: &City) {
    let load = [
        "load",
        "--rate",
        "60/s",
        "--duration",
        "4s",
        "--settle",
        "10s",
        "--json",
    ];
    let report = city.citywatch(&load).await;
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let sent = report["requests"].as_f64().unwrap();
    quiet(city, true).await;
    let taken = accepted(city).await;
    let mut both = (BTreeMap::new(), BTreeMap::new());
    let agreed = within(SEEN, async || {
        // Once the collector has counted all that it took, these do not move any more.
        let counted = query_one(city, ALL_SPANS).await >= taken;
        both.0 = query_by(city, "job", REQUESTS).await;
        both.1 = query_by(city, "job", SERVER_SPANS).await;
        counted && agree(&both.0, &both.1)
    });
    let agreed = agreed.await;
    let (requests, spans) = both;
    for (service, count) in &requests {
        let spans = spans.get(service).copied().unwrap_or_default();
        println!("{service}: {count} requests by its own count, {spans} by the collector's");
    }
    assert!(agreed.is_some(), "{requests:?}\n{spans:?}\n{}", city.said());
    assert!(requests["gateway"] >= sent, "{sent} sent: {requests:?}");
}

fn agree(one: &BTreeMap<String, f64>, other: &BTreeMap<String, f64>) -> bool {
    let close = |(job, count): (&String, &f64)| {
        let counted = other.get(job).copied().unwrap_or_default();
        (counted - count).abs() <= count * TOLERANCE
    };
    one.keys().eq(other.keys()) && one.iter().all(close)
}

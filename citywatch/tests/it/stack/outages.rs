//! A part of the stack is away, and the city does not mind: requests are as fast as before, and
//! every span is delivered, waits, or is counted as lost.
//!
//! Away for some seconds, or for as long as `CITYWATCH_OUTAGE_SECONDS` says (the long form: 60).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::harness::{City, within};
use super::accounts::{Spans, accepted, page, quiet, sum, sum_of};
use super::{OF_AN_ORDER, SEEN, order, query, query_one, raise, same_in_both, slow_bank};

/// More than this is no noise of a busy machine. The aim is 1.1.
const SLOWER: f64 = 3.0;
/// Loads of an outage. The median of their percentiles is compared: one may meet a busy moment.
const SLICES: u32 = 3;

/// Times without the part, at least.
fn outage() -> Duration {
    let asked = std::env::var("CITYWATCH_OUTAGE_SECONDS").ok();
    let seconds = asked.map_or(9, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_city_does_not_mind_an_outage_of_what_watches_it() {
    let Some(city) = raise(&[], &[]).await else {
        return;
    };
    without_the_collector(&city).await;
    without_jaeger(&city).await;
    city.stop().await;
}

async fn without_the_collector(city: &City) {
    let before = p99(city).await;
    let killed = Instant::now();
    let (during, ()) = tokio::join!(p99(city), async {
        let first = answered(city).await;
        // Under load, and in the middle of it.
        let flows = within(SEEN, async || answered(city).await > first + 20.0).await;
        assert!(flows.is_some(), "{}", city.said());
        city.prints(&["hold", "otel-collector", "--crash"]).await;
    });
    let ratio = during / before;
    println!("p99 {during:.0} µs without the collector, {before:.0} µs before: {ratio:.2}");
    the_alert_fires(city, "otel-collector", killed).await;

    let away = quiet(city, false).await;
    let waiting: f64 = away.values().map(Spans::waiting).sum();
    assert!(waiting > 0.0, "nothing waits for the collector: {away:?}");
    city.prints(&["release", "otel-collector"]).await;
    let back = quiet(city, true).await;
    // Its spans are those of requests, which it counts elsewhere too; those to the registry, which
    // it knows by address and not by name, are no part of any trace.
    let gateway = page(city, "gateway").await;
    let served = sum(&gateway, "http_server_request_duration_seconds_count");
    let called = sum_of(
        &gateway,
        "http_client_request_duration_seconds_count",
        |labels| !labels.contains("server_address=\"127.0.0.1\""),
    );
    let made = served + called;
    assert_eq!(made, back["gateway"].produced(), "{:?}", back["gateway"]);
    let total =
        |of: fn(&Spans) -> f64, at: &BTreeMap<String, Spans>| at.values().map(of).sum::<f64>();
    // The collector has just begun to count; some services go on with work of their own.
    let (mut late, mut taken) = (0.0, 0.0);
    let agreed = within(SEEN, async || {
        let now = quiet(city, true).await;
        late = total(|spans| spans.delivered, &now) - total(|spans| spans.delivered, &away);
        taken = accepted(city).await;
        late == taken
    });
    assert!(agreed.await.is_some(), "{late} delivered, {taken} taken");
    println!(
        "{waiting} spans waited for the collector; {late} delivered after its return, {} lost",
        total(|spans| spans.lost, &back)
    );
    assert!(late >= waiting - total(|spans| spans.lost, &back));
    assert!(ratio <= SLOWER, "p99 is {ratio:.2} of that before");
}

async fn without_jaeger(city: &City) {
    let token = city.member("mina@example.com").await;
    slow_bank(city, 550).await;
    let killed = Instant::now();
    city.prints(&["hold", "jaeger", "--crash"]).await;
    let mut orders = Vec::new();
    let queue = r#"sum({__name__="otelcol_exporter_queue_size", exporter="otlp_grpc/jaeger"})"#;
    let mut deepest = 0.0_f64;
    while killed.elapsed() < outage() || deepest == 0.0 {
        assert!(
            killed.elapsed() < outage() + SEEN,
            "nothing waits for Jaeger"
        );
        let key = format!("order-{}", orders.len());
        orders.push(order(city, &token, &key).await);
        deepest = deepest.max(query_one(city, queue).await);
    }
    city.prints(&["release", "jaeger"]).await;
    for id in &orders {
        same_in_both(city, id, &OF_AN_ORDER).await;
    }
    let drained = within(SEEN, async || query_one(city, queue).await == 0.0).await;
    assert!(drained.is_some(), "{}", city.said());
    let lost = r#"{__name__=~"otelcol_exporter_(send|enqueue)_failed_spans(_total)?"} > 0"#;
    let lost = query(city, lost).await;
    assert!(lost.is_empty(), "{lost:?}");
    println!(
        "{} orders without Jaeger, up to {deepest} batches in the queue, none lost",
        orders.len()
    );
}

async fn the_alert_fires(city: &City, job: &str, killed: Instant) {
    let firing =
        format!(r#"ALERTS{{alertname="TelemetryBackendDown", alertstate="firing", job="{job}"}}"#);
    let fired = within(SEEN, async || !query(city, &firing).await.is_empty()).await;
    assert!(fired.is_some(), "{}", city.said());
    println!(
        "{job} is missed after {:.1} s at most",
        killed.elapsed().as_secs_f64()
    );
}

/// The median of some loads' 99th percentiles, in microseconds; together as long as an outage.
async fn p99(city: &City) -> f64 {
    let duration = format!("{}ms", (outage() / SLICES).as_millis());
    let mut found = Vec::new();
    for seed in 0..SLICES {
        let seed = seed.to_string();
        let load = [
            "load",
            "--rate",
            "40/s",
            "--duration",
            &duration,
            "--seed",
            &seed,
        ];
        let report = city.citywatch(&[&load[..], &["--json"]].concat()).await;
        let report: Value = serde_json::from_slice(&report.stdout).unwrap();
        assert_eq!(report["errors"], 0, "{report}\n{}", city.said());
        let mut kinds = report["kinds"].as_array().unwrap().iter();
        let all = kinds.find(|kind| kind["kind"] == "all").unwrap();
        found.push(all["p99_us"].as_f64().unwrap());
    }
    found.sort_by(f64::total_cmp);
    found[found.len() / 2]
}

/// Requests that the gateway answered.
async fn answered(city: &City) -> f64 {
    let page = page(city, "gateway").await;
    sum(&page, "http_server_request_duration_seconds_count")
}

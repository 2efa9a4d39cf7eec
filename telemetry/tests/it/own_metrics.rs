//! A service's own counters and histograms, on the page and in the push, and which measurements
//! become exemplars.

use crate::exposition::{Page, parse};
use crate::told;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use std::sync::atomic::{AtomicBool, Ordering};
use telemetry::{Instrument, InstrumentError, Telemetry};
use tower::ServiceExt;

fn page(telemetry: &Telemetry) -> Page {
    let page = telemetry.metrics_page(Some("application/openmetrics-text"));
    parse(&page.body, true)
}

fn wait() -> Instrument {
    Instrument::new("stock.wait.duration", "s", "Wait for stock.")
        .label("outcome", ["granted", "refused"])
}

#[test]
fn series_are_born_at_zero_and_no_others_can_be_made() {
    let (telemetry, _collector) = told(&[]);
    let refused = Instrument::new("orders.refused", "{order}", "Orders refused.")
        .label("reason", ["sold_out", "card_declined"]);
    let refused = telemetry.counter(refused).unwrap();
    let waits = telemetry.histogram(wait(), &[0.1, 1.0]).unwrap();
    let count = |reason| {
        let page = page(&telemetry);
        page.one("orders_refused_total", &[("reason", reason)])
            .value
    };
    assert!(count("sold_out").abs() < f64::EPSILON);
    let before = page(&telemetry).series();
    assert!(
        before
            .iter()
            .any(|(name, _)| name == "stock_wait_duration_seconds_bucket")
    );

    refused.add(&["sold_out"], 2);
    waits.record(&["granted"], 0.5);
    waits.record(&["granted"], f64::NAN);
    waits.record(&["granted"], -1.0);
    assert!((count("sold_out") - 2.0).abs() < f64::EPSILON);
    assert_eq!(page(&telemetry).series(), before);
    for number in 0..1_000 {
        let minted = format!("minted-{number}");
        refused.add(&[&minted], 1);
        waits.record(&[&minted], 0.5);
    }
    let page = page(&telemetry);
    let others: Vec<_> = page.series().difference(&before).cloned().collect();
    assert!(
        others
            .iter()
            .all(|(_, labels)| labels.values().any(|value| value == "_OTHER"))
    );
    let other = [("outcome", "_OTHER")];
    let count = page.one("stock_wait_duration_seconds_count", &other).value;
    assert!((count - 1_000.0).abs() < f64::EPSILON);
    let granted = [("outcome", "granted")];
    let count = page
        .one("stock_wait_duration_seconds_count", &granted)
        .value;
    assert!((count - 1.0).abs() < f64::EPSILON);
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let (telemetry, _collector) = told(&[]);
    let named = |name: &str| Instrument::new(name, "s", "");
    telemetry.counter(named("jobs.done")).unwrap();
    let taken = telemetry.histogram(named("jobs_done"), &[1.0]).unwrap_err();
    assert_eq!(taken, InstrumentError::Taken("jobs_done".to_owned()));
    // The crate's own families, also those that have no series yet.
    for name in [
        "http.server.request.duration",
        "rpc.client.call.duration",
        "db.client.connection.wait_time",
        "citywatch.tokio.busy",
    ] {
        let taken = telemetry.histogram(named(name), &[1.0]).unwrap_err();
        assert_eq!(taken, InstrumentError::Taken(name.to_owned()));
    }
    for bounds in [&[1.0, 1.0][..], &[2.0, 1.0], &[f64::NAN], &[f64::INFINITY]] {
        let refused = telemetry.histogram(named("wait"), bounds).unwrap_err();
        assert_eq!(refused, InstrumentError::Bounds, "{bounds:?}");
    }
    for name in ["", "7up", "with space", "ünits"] {
        let refused = telemetry.counter(named(name)).unwrap_err();
        assert_eq!(refused, InstrumentError::Name(name.to_owned()));
    }
}

/// Exemplars of a handler's own histogram, with the ids of the spans that were recorded.
async fn exemplars(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let (telemetry, collector) = told(variables);
    let waits = telemetry.histogram(wait(), &[0.1, 1.0]).unwrap();
    let handler = get(move || async move {
        waits.record(&["granted"], 0.5);
        "an order"
    });
    let app = Router::new()
        .route("/orders", handler)
        .layer(telemetry.server_layer());
    let request = Request::get("/orders").body(Body::empty()).unwrap();
    let answer = app.oneshot(request).await.unwrap();
    axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap();
    let page = page(&telemetry);
    let exemplars = |name| -> Vec<String> {
        let buckets = page.named(name);
        let exemplars = buckets.iter().filter_map(|bucket| bucket.exemplar.as_ref());
        exemplars
            .map(|exemplar| exemplar.labels["span_id"].clone())
            .collect()
    };
    let own = exemplars("stock_wait_duration_seconds_bucket");
    assert_eq!(
        own,
        exemplars("http_server_request_duration_seconds_bucket")
    );
    let spans = collector.spans().await;
    (
        own,
        spans.iter().map(|span| span.span_id.to_string()).collect(),
    )
}

#[tokio::test]
async fn the_filter_decides_which_measurements_become_exemplars() {
    const FILTER: &str = "OTEL_METRICS_EXEMPLAR_FILTER";
    let unsampled = ("OTEL_TRACES_SAMPLER", "always_off");
    let (exemplars_by_default, spans) = exemplars(&[]).await;
    assert_eq!((spans.len(), &exemplars_by_default), (1, &spans));
    assert_eq!(exemplars(&[unsampled]).await, (vec![], vec![]));
    let (all, spans) = exemplars(&[unsampled, (FILTER, "always_on")]).await;
    assert_eq!((all.len(), spans.len()), (1, 0));
    let (none, spans) = exemplars(&[(FILTER, "always_off")]).await;
    assert_eq!((none.len(), spans.len()), (0, 1));
}

/// Threads that come and go at random while pages are read: nothing is lost, nothing is counted
/// twice, and no count ever falls.
#[test]
fn no_count_is_lost_when_threads_end() {
    const THREADS: u64 = 200;
    let (telemetry, _collector) = told(&[]);
    let own = telemetry.histogram(wait(), &[0.1, 1.0]).unwrap();
    let app = Router::new()
        .route("/orders", get(|| async { "orders" }))
        .layer(telemetry.server_layer());
    let counts = || {
        let page = page(&telemetry);
        let sum = |name: &str| -> f64 { page.named(name).iter().map(|sample| sample.value).sum() };
        [
            sum("http_server_request_duration_seconds_count"),
            sum("stock_wait_duration_seconds_count"),
        ]
    };
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut before = [0.0; 2];
            while !ended.load(Ordering::Relaxed) {
                let now = counts();
                assert!(
                    before[0] <= now[0] && before[1] <= now[1],
                    "{before:?} {now:?}"
                );
                before = now;
            }
        });
        // At most eight at a time; each lives for as many requests as its number says.
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                let (app, own) = (app.clone(), own.clone());
                scope.spawn(move || {
                    for number in (worker..THREADS).step_by(8) {
                        let (app, own) = (app.clone(), own.clone());
                        let life = move || {
                            let runtime = tokio::runtime::Builder::new_current_thread()
                                .build()
                                .unwrap();
                            for _ in 0..requests_of(number) {
                                let request = Request::get("/orders").body(Body::empty()).unwrap();
                                let answer = runtime.block_on(app.clone().oneshot(request));
                                drop(answer.unwrap());
                                own.record(&["granted"], 0.5);
                            }
                        };
                        std::thread::spawn(life).join().unwrap();
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        ended.store(true, Ordering::Relaxed);
        scraper.join().unwrap();
    });
    let expected = (0..THREADS).map(requests_of).sum::<u64>() as f64;
    assert_eq!(counts(), [expected, expected]);
}

/// Spread over 0 to 36 without a pattern that scrapes could fall in with.
fn requests_of(thread: u64) -> u64 {
    (thread.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 59) ^ (thread % 5)
}

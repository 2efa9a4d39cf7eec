//! The metrics page as a scraper sees it.

use crate::exposition::{Page, parse};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use http::{Method, StatusCode};
use prometheus::{HistogramOpts, IntCounterVec, IntGauge, Opts};
use std::time::Duration;
use telemetry::testing::Collector;
use telemetry::{Service, Telemetry};
use tower::ServiceExt;

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3";

fn shop() -> (Telemetry, Collector) {
    let collector = Collector::new();
    let telemetry = Telemetry::builder(Service::new("shop", "1.2.3").instance_id("a\"b\\c\nd"))
        .exporter(collector.exporter())
        .without_subscriber()
        .build()
        .unwrap();
    (telemetry, collector)
}

fn app(telemetry: &Telemetry) -> Router {
    Router::new()
        .route(
            "/items/{id}",
            get(|| async { "an item" }).post(|| async { "made" }),
        )
        .route("/broken", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route(
            "/slow",
            get(|| async { std::future::pending::<()>().await }),
        )
        .layer(telemetry.server_layer())
}

async fn call(app: &Router, method: &str, uri: &str) {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .body(Body::empty())
        .unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap();
}

fn open_metrics(telemetry: &Telemetry) -> Page {
    let page = telemetry.metrics_page(Some(OPEN_METRICS));
    assert_eq!(
        page.content_type,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    parse(&page.body, true)
}

fn text(telemetry: &Telemetry) -> Page {
    let page = telemetry.metrics_page(None);
    assert_eq!(
        page.content_type,
        "text/plain; version=0.0.4; charset=utf-8"
    );
    parse(&page.body, false)
}

fn register_some(telemetry: &Telemetry) {
    let registry = telemetry.registry();
    let orders = IntCounterVec::new(Opts::new("orders_total", "Orders."), &["state"]).unwrap();
    orders
        .with_label_values(&["a \"quoted\"\nstate\\"])
        .inc_by(3);
    registry.register(Box::new(orders)).unwrap();
    let opts = HistogramOpts::new("stock_bytes", "Stock.").buckets(vec![0.5, 1.0, 1_048_576.0]);
    let stock = prometheus::Histogram::with_opts(opts).unwrap();
    stock.observe(700.0);
    registry.register(Box::new(stock)).unwrap();
    // Names that the page has already.
    for taken in ["process_open_fds", "http_server_active_requests", "stock"] {
        let gauge = IntGauge::new(taken, "Taken.").unwrap();
        gauge.set(-77);
        registry.register(Box::new(gauge)).unwrap();
    }
}

#[tokio::test]
async fn both_formats_parse_and_say_the_same() {
    let (telemetry, _collector) = shop();
    register_some(&telemetry);
    let app = app(&telemetry);
    for (method, uri) in [
        ("GET", "/items/1"),
        ("POST", "/items/1"),
        ("GET", "/broken"),
    ] {
        call(&app, method, uri).await;
    }
    let (new, old) = (open_metrics(&telemetry), text(&telemetry));
    assert_eq!(new.series(), old.series());

    let target = new.one(
        "target_info",
        &[("service_name", "shop"), ("service_version", "1.2.3")],
    );
    assert_eq!(target.labels["service_instance_id"], "a\"b\\c\nd");
    let state = new.one("orders_total", &[("state", "a \"quoted\"\nstate\\")]);
    assert!((state.value - 3.0).abs() < f64::EPSILON);
    new.one("stock_bytes_bucket", &[("le", "1.048576e+06")]);
    assert!(new.one("process_open_fds", &[]).value > 0.0);
    assert!((new.one("stock", &[]).value + 77.0).abs() < f64::EPSILON);
    assert!(new.one("process_cpu_seconds_total", &[]).value >= 0.0);
    assert!(new.one("process_resident_memory_bytes", &[]).value > 100_000.0);
    assert!(new.one("process_start_time_seconds", &[]).value > 1e9);
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_says_what_it_uses_and_may_use() {
    let (telemetry, _collector) = shop();
    let value =
        |name: &str, labels: &[(&str, &str)]| open_metrics(&telemetry).one(name, labels).value;
    let cpus = std::thread::available_parallelism().unwrap().get();
    let limit = value("citywatch_process_cpu_limit", &[]);
    // The standard library rounds a control group's share down, but never to nothing.
    assert!(
        limit > 0.0 && limit.floor().max(1.0) <= cpus as f64,
        "{limit}"
    );
    let memory = value("citywatch_process_memory_limit_bytes", &[]);
    assert!(memory > value("process_resident_memory_bytes", &[]));
    let user = [("cpu_mode", "user")];
    assert!(
        value("process_cpu_time_seconds_total", &user) <= value("process_cpu_seconds_total", &[])
    );
    let waits = [("process_context_switch_type", "voluntary")];
    let before = value("process_context_switches_total", &waits);
    // A thread that ends takes its numbers with it; the sum stays.
    std::thread::spawn(|| ()).join().unwrap();
    assert!(value("process_context_switches_total", &waits) >= before);
    assert!(value("citywatch_process_scheduling_delay_seconds_total", &[]) >= 0.0);
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let wall = wall.unwrap().as_secs_f64();
    assert!((value("citywatch_process_clock_time_seconds", &[]) - wall).abs() < 60.0);
    assert!(value("citywatch_process_clock_offset_seconds", &[]).abs() < 60.0);
}

#[tokio::test]
async fn requests_are_counted_with_labels_and_exemplars() {
    let (telemetry, collector) = shop();
    let app = app(&telemetry);
    for _ in 0..3 {
        call(&app, "GET", "/items/17").await;
    }
    call(&app, "GET", "/broken").await;
    call(&app, "GET", "/nowhere").await;
    let page = open_metrics(&telemetry);
    let count = "http_server_request_duration_seconds_count";
    let items = [
        ("http_request_method", "GET"),
        ("http_route", "/items/{id}"),
        ("http_response_status_code", "200"),
        ("url_scheme", "http"),
        ("network_protocol_version", "1.1"),
    ];
    let sample = page.one(count, &items);
    assert!((sample.value - 3.0).abs() < f64::EPSILON);
    assert_eq!(sample.labels.len(), items.len(), "{sample:?}");
    let broken = page.one(count, &[("http_route", "/broken")]);
    assert_eq!(broken.labels["error_type"], "503");
    let lost = page.one(count, &[("http_response_status_code", "404")]);
    assert!(!lost.labels.contains_key("http_route"));

    let spans = collector.spans().await;
    let bucket = "http_server_request_duration_seconds_bucket";
    let exemplars: Vec<_> = page
        .named(bucket)
        .iter()
        .filter_map(|b| b.exemplar.clone())
        .collect();
    assert!(exemplars.len() >= 3);
    for exemplar in exemplars {
        let measured = spans.iter().find(|span| {
            span.trace_id.to_string() == exemplar.labels["trace_id"]
                && span.span_id.to_string() == exemplar.labels["span_id"]
        });
        let span = measured.unwrap_or_else(|| panic!("not a span: {exemplar:?}"));
        assert!((span.duration().as_secs_f64() - exemplar.value).abs() < 0.001);
        assert!((exemplar.timestamp - span.end_nanos as f64 / 1e9).abs() < 1.0);
    }
}

#[tokio::test]
async fn a_runtime_that_is_observed_is_on_the_page() {
    let (telemetry, _collector) = shop();
    let families = |page: &Page| {
        page.samples
            .iter()
            .filter(|s| s.name.contains("tokio"))
            .count()
    };
    assert_eq!(families(&open_metrics(&telemetry)), 0);
    telemetry.observe_runtime("main", &tokio::runtime::Handle::current());
    let page = open_metrics(&telemetry);
    let main = [("citywatch_tokio_runtime", "main")];
    let workers = page.one("citywatch_tokio_workers", &main).value;
    assert!((workers - 1.0).abs() < f64::EPSILON);
    assert!(page.one("citywatch_tokio_tasks", &main).value >= 1.0);
    assert!(page.one("citywatch_tokio_busy_seconds_total", &main).value >= 0.0);
    page.one("citywatch_tokio_scheduling_delay_seconds_count", &main);
    telemetry.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn the_gauge_comes_down_when_requests_are_cancelled() {
    let (telemetry, _collector) = shop();
    let app = app(&telemetry);
    let active = |telemetry: &Telemetry| {
        let labels = [("http_request_method", "GET"), ("url_scheme", "http")];
        open_metrics(telemetry)
            .one("http_server_active_requests", &labels)
            .value
    };
    let requests: Vec<_> = (0..5)
        .map(|_| {
            let app = app.clone();
            tokio::spawn(async move { call(&app, "GET", "/slow").await })
        })
        .collect();
    while open_metrics(&telemetry)
        .named("http_server_active_requests")
        .is_empty()
        || active(&telemetry) < 5.0
    {
        tokio::task::yield_now().await;
    }
    for request in requests {
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
    }
    assert!(active(&telemetry).abs() < f64::EPSILON);
    let page = open_metrics(&telemetry);
    let slow = page.one(
        "http_server_request_duration_seconds_count",
        &[("http_route", "/slow")],
    );
    assert!((slow.value - 5.0).abs() < f64::EPSILON);
    assert!(slow.labels.contains_key("error_type"));
}

#[test]
fn counters_outlive_their_threads() {
    let (telemetry, _collector) = shop();
    let app = app(&telemetry);
    let mut last = 0.0;
    for round in 1..=20_u32 {
        let app = app.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(call(&app, "GET", "/items/1"));
        });
        // A scrape in the middle of it.
        let page = open_metrics(&telemetry);
        let now: f64 = page
            .named("http_server_request_duration_seconds_count")
            .iter()
            .map(|sample| sample.value)
            .sum();
        assert!(now >= last);
        last = now;
        thread.join().unwrap();
        let page = open_metrics(&telemetry);
        let labels = [("http_route", "/items/{id}")];
        let count = page
            .one("http_server_request_duration_seconds_count", &labels)
            .value;
        assert!((count - f64::from(round)).abs() < f64::EPSILON);
    }
}

#[tokio::test]
async fn the_pipeline_reports_on_itself_from_the_first_scrape() {
    let (telemetry, collector) = shop();
    let page = open_metrics(&telemetry);
    for name in [
        "otel_sdk_exporter_span_inflight",
        "otel_sdk_processor_span_queue_size",
    ] {
        assert!(page.one(name, &[]).value.abs() < f64::EPSILON);
    }
    let lost = page.one(
        "otel_sdk_processor_span_processed_total",
        &[("error_type", "queue_full")],
    );
    assert!(lost.value.abs() < f64::EPSILON);
    call(&app(&telemetry), "GET", "/items/1").await;
    assert_eq!(collector.spans().await.len(), 1);
    let page = open_metrics(&telemetry);
    let exported = page
        .named("otel_sdk_exporter_span_exported_total")
        .into_iter()
        .find(|sample| !sample.labels.contains_key("error_type"));
    assert!((exported.unwrap().value - 1.0).abs() < f64::EPSILON);
    telemetry.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn two_services_in_one_process_do_not_mix() {
    let ((first, _a), (second, _b)) = (shop(), shop());
    call(&app(&first), "GET", "/items/1").await;
    assert!(
        text(&second)
            .named("http_server_request_duration_seconds_count")
            .is_empty()
    );
    assert_eq!(
        text(&first)
            .named("http_server_request_duration_seconds_count")
            .len(),
        1
    );
}

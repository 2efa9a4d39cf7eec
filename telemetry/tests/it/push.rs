//! Metrics that are pushed by OTLP, decoded by the reference implementation: they say what the
//! page says.

use crate::exposition::{Page, parse};
use crate::receiver::{Requests, of, receiver};
use crate::told;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint, Metric,
    NumberDataPoint,
};
use prometheus::{HistogramOpts, IntCounter};
use std::time::Duration;
use telemetry::testing::Collector;
use telemetry::{Instrument, Telemetry};
use tower::ServiceExt;

/// Far from any test's end: what is pushed is asked for.
const NEVER: (&str, &str) = ("OTEL_METRIC_EXPORT_INTERVAL", "3600000");

fn service(variables: &[(&str, &str)]) -> (Telemetry, Collector) {
    told(&[variables, &[NEVER]].concat())
}

async fn call(telemetry: &Telemetry, path: &str) {
    let app = Router::new()
        .route("/orders/{id}", get(|| async { "an order" }))
        .layer(telemetry.server_layer());
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = app.oneshot(request).await.unwrap();
    axum::body::to_bytes(answer.into_body(), usize::MAX)
        .await
        .unwrap();
}

fn page(telemetry: &Telemetry) -> Page {
    let page = telemetry.metrics_page(Some("application/openmetrics-text"));
    parse(&page.body, true)
}

/// The metrics of each push.
fn pushes(requests: &Requests) -> Vec<Vec<Metric>> {
    let received: Vec<(_, ExportMetricsServiceRequest)> = of(requests, "metrics");
    received
        .into_iter()
        .map(|(_, mut request)| {
            request
                .resource_metrics
                .remove(0)
                .scope_metrics
                .remove(0)
                .metrics
        })
        .collect()
}

fn named<'m>(metrics: &'m [Metric], name: &str) -> &'m Metric {
    let found: Vec<_> = metrics
        .iter()
        .filter(|metric| metric.name == name)
        .collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0]
}

fn numbers(metric: &Metric) -> &[NumberDataPoint] {
    match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => &sum.data_points,
        Data::Gauge(gauge) => &gauge.data_points,
        other => panic!("no numbers: {other:?}"),
    }
}

fn histograms(metric: &Metric) -> &[HistogramDataPoint] {
    let Some(Data::Histogram(histogram)) = &metric.data else {
        panic!("no histogram: {metric:?}")
    };
    &histogram.data_points
}

fn value(point: &NumberDataPoint) -> f64 {
    match point.value.unwrap() {
        Value::AsInt(value) => value as f64,
        Value::AsDouble(value) => value,
    }
}

#[tokio::test]
async fn the_push_says_what_the_page_says() {
    let (address, requests) = receiver().await;
    let (telemetry, collector) = service(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ]);
    let stock = HistogramOpts::new("stock_bytes", "Stock.").buckets(vec![1.0, 1024.0]);
    let stock = prometheus::Histogram::with_opts(stock).unwrap();
    let placed = IntCounter::new("orders_placed_total", "Orders.").unwrap();
    stock.observe(700.0);
    stock.observe(7_000.0);
    placed.inc_by(3);
    telemetry.registry().register(Box::new(stock)).unwrap();
    telemetry.registry().register(Box::new(placed)).unwrap();
    for path in ["/orders/1", "/orders/2", "/nowhere"] {
        call(&telemetry, path).await;
    }
    telemetry.flush().await;
    let (page, pushes) = (page(&telemetry), pushes(&requests));
    let metrics = &pushes[0];

    let durations = named(metrics, "http.server.request.duration");
    assert_eq!(durations.unit, "s");
    assert_eq!(durations.description, "Duration of HTTP server requests.");
    assert_eq!(histograms(durations).len(), 2);
    for point in histograms(durations) {
        let attribute = |key: &str| {
            let found = point
                .attributes
                .iter()
                .find(|attribute| attribute.key == key);
            found.map(|attribute| attribute.value.clone().unwrap().value.unwrap())
        };
        let Some(Any::IntValue(status)) = attribute("http.response.status_code") else {
            panic!("no number: {point:?}")
        };
        let status = status.to_string();
        let labels = [("http_response_status_code", status.as_str())];
        let count = page.one("http_server_request_duration_seconds_count", &labels);
        assert!((count.value - point.count as f64).abs() < f64::EPSILON);
        let sum = page.one("http_server_request_duration_seconds_sum", &labels);
        assert_eq!(Some(sum.value), point.sum);
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        assert!(0 < point.start_time_unix_nano);
        assert!(point.start_time_unix_nano < point.time_unix_nano);
        let route = (status == "200").then(|| Any::StringValue("/orders/{id}".to_owned()));
        assert_eq!(attribute("http.route"), route);
    }

    // Each exemplar is a span that was recorded, and the one that the page shows.
    let spans = collector.spans().await;
    let exemplars: Vec<_> = histograms(durations)
        .iter()
        .flat_map(|point| &point.exemplars)
        .collect();
    assert!(exemplars.len() >= 2);
    for exemplar in exemplars {
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let span = hex(&exemplar.span_id);
        let measured = spans
            .iter()
            .find(|one| one.span_id.to_string() == span)
            .unwrap();
        assert_eq!(measured.trace_id.to_string(), hex(&exemplar.trace_id));
        let shown = page.named("http_server_request_duration_seconds_bucket");
        let shown = shown.iter().filter_map(|bucket| bucket.exemplar.as_ref());
        assert!(shown.clone().any(|shown| shown.labels["span_id"] == span));
        assert!(exemplar.time_unix_nano.abs_diff(measured.end_nanos) < 1_000_000_000);
    }

    let stock = &histograms(named(metrics, "stock_bytes"))[0];
    assert_eq!(stock.explicit_bounds, [1.0, 1024.0]);
    assert_eq!(stock.bucket_counts, [0, 1, 1]);
    let placed = named(metrics, "orders_placed");
    let Some(Data::Sum(sum)) = &placed.data else {
        panic!("not a sum: {placed:?}")
    };
    assert!(sum.is_monotonic);
    assert!((value(&sum.data_points[0]) - 3.0).abs() < f64::EPSILON);
    assert_eq!(named(metrics, "process.memory.usage").unit, "By");
    assert_eq!(numbers(named(metrics, "process.cpu.time")).len(), 2);
    let spans = |name| numbers(named(metrics, name)).iter().map(value).sum::<f64>();
    let (processed, waiting) = (
        spans("otel.sdk.processor.span.processed"),
        spans("otel.sdk.processor.span.queue.size"),
    );
    assert!((processed + waiting - 3.0).abs() < f64::EPSILON);
    // What the page alone is told of.
    for name in ["target", "process.cpu", "process.start_time"] {
        assert!(metrics.iter().all(|metric| metric.name != name), "{name}");
    }
    telemetry.shutdown(Duration::from_secs(5)).await;
    assert_eq!(
        of::<ExportMetricsServiceRequest>(&requests, "metrics").len(),
        2
    );
}

#[tokio::test]
async fn changes_are_pushed_to_those_who_want_changes() {
    let (address, requests) = receiver().await;
    let (telemetry, _collector) = service(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
    ]);
    for calls in [2, 3, 0] {
        for _ in 0..calls {
            call(&telemetry, "/orders/1").await;
        }
        telemetry.flush().await;
    }
    let pushes = pushes(&requests);
    let durations: Vec<_> = pushes
        .iter()
        .map(|metrics| {
            let metric = named(metrics, "http.server.request.duration");
            let Some(Data::Histogram(histogram)) = &metric.data else {
                panic!("no histogram: {metric:?}")
            };
            let delta = AggregationTemporality::Delta;
            assert_eq!(histogram.aggregation_temporality(), delta);
            &histogram.data_points[0]
        })
        .collect();
    let counts: Vec<_> = durations.iter().map(|point| point.count).collect();
    assert_eq!(counts, [2, 3, 0]);
    assert_eq!(
        durations[0].time_unix_nano,
        durations[1].start_time_unix_nano
    );
    assert_eq!(
        durations[1].time_unix_nano,
        durations[2].start_time_unix_nano
    );
    // An exemplar is told once, and what may fall is told whole.
    assert_eq!(durations[2].exemplars, []);
    let active = named(&pushes[1], "http.server.active_requests");
    let Some(Data::Sum(sum)) = &active.data else {
        panic!("no sum: {active:?}")
    };
    assert_eq!(
        sum.aggregation_temporality(),
        AggregationTemporality::Cumulative
    );
    assert!(!sum.is_monotonic);
    telemetry.shutdown(Duration::from_secs(5)).await;
}

/// An exponential histogram's points.
fn exponential(metric: &Metric) -> &[ExponentialHistogramDataPoint] {
    let Some(Data::ExponentialHistogram(histogram)) = &metric.data else {
        panic!("no exponential histogram: {metric:?}")
    };
    &histogram.data_points
}

/// The buckets' counts, each beside the bucket's upper bound.
fn buckets(point: &ExponentialHistogramDataPoint) -> Vec<(f64, u64)> {
    let positive = point.positive.as_ref().unwrap();
    let bound = |bucket: i32| f64::from(bucket + 1) * 2_f64.powi(-point.scale);
    let counted = (positive.offset..).zip(&positive.bucket_counts);
    counted
        .filter(|(_, count)| **count > 0)
        .map(|(bucket, count)| (bound(bucket).exp2(), *count))
        .collect()
}

#[tokio::test]
async fn histograms_are_pushed_with_bounds_that_follow_the_values() {
    for (temporality, second, eights) in [("cumulative", [4, 1], 2), ("delta", [1, 0], 1)] {
        for protocol in ["http/protobuf", "http/json"] {
            let (address, requests) = receiver().await;
            let (telemetry, _collector) = service(&[
                ("OTEL_METRICS_EXPORTER", "otlp"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                (
                    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                    "base2_exponential_bucket_histogram",
                ),
                (
                    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                    temporality,
                ),
            ]);
            let wait = Instrument::new("stock.wait.duration", "s", "Wait for stock.");
            let wait = telemetry.histogram(wait, &[0.1, 1.0]).unwrap();
            for seconds in [0.25, 0.0, 8.0] {
                let wait = wait.clone();
                std::thread::spawn(move || wait.record(&[], seconds))
                    .join()
                    .unwrap();
            }
            call(&telemetry, "/orders/1").await;
            telemetry.flush().await;
            wait.record(&[], 8.0);
            telemetry.flush().await;

            let page = page(&telemetry);
            let shown = page.one("stock_wait_duration_seconds_count", &[]);
            assert!((shown.value - 4.0).abs() < f64::EPSILON);
            let pushes = pushes(&requests);
            let waits: Vec<_> = pushes
                .iter()
                .map(|metrics| &exponential(named(metrics, "stock.wait.duration"))[0])
                .collect();
            assert_eq!((waits[0].count, waits[0].zero_count), (3, 1));
            assert_eq!((waits[0].min, waits[0].max), (Some(0.0), Some(8.0)));
            assert_eq!(waits[0].sum, Some(8.25));
            assert_eq!(buckets(waits[0]), [(0.25, 1), (8.0, 1)]);
            assert_eq!([waits[1].count, waits[1].zero_count], second);
            assert_eq!(buckets(waits[1]).pop(), Some((8.0, eights)));
            let durations = &exponential(named(&pushes[0], "http.server.request.duration"))[0];
            assert_eq!((durations.count, durations.exemplars.len()), (1, 1));
            telemetry.shutdown(Duration::from_secs(5)).await;
        }
    }
}

#[tokio::test]
async fn a_receiver_that_never_answers_costs_no_more_than_the_deadline() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let (telemetry, _collector) = service(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
    ]);
    call(&telemetry, "/orders/1").await;
    let report = telemetry.shutdown(Duration::from_millis(300)).await;
    assert!(report.is_complete(), "{report}");
    assert!(report.elapsed < Duration::from_secs(3), "{report}");
}

#[tokio::test]
async fn every_pushed_point_is_accounted_for() {
    let (address, requests) = receiver().await;
    let (telemetry, _collector) = service(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
    ]);
    call(&telemetry, "/orders/1").await;
    telemetry.flush().await;
    let mut points = 0;
    for metric in pushes(&requests).concat() {
        points += match metric.data.as_ref().unwrap() {
            Data::Histogram(_) => histograms(&metric).len(),
            Data::Summary(summary) => summary.data_points.len(),
            _ => numbers(&metric).len(),
        };
    }
    let page = page(&telemetry);
    let value = |name: &str, labels: &[(&str, &str)]| page.one(name, labels).value;
    let exported = page.named("otel_sdk_exporter_metric_data_point_exported_total");
    let exported: f64 = exported.iter().map(|sample| sample.value).sum();
    assert!(
        (exported - points as f64).abs() < f64::EPSILON,
        "{exported} of {points}"
    );
    assert!(value("otel_sdk_exporter_metric_data_point_inflight", &[]).abs() < f64::EPSILON);
    let labels = [
        ("otel_component_type", "otlp_http_metric_exporter"),
        ("http_response_status_code", "200"),
    ];
    let pushed = value(
        "otel_sdk_exporter_operation_duration_seconds_count",
        &labels,
    );
    assert!((pushed - pushes(&requests).len() as f64).abs() < f64::EPSILON);
}

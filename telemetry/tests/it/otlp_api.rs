//! What is recorded through the OpenTelemetry APIs arrives at a real OTLP receiver.

use crate::receiver::{Requests, of, receiver};
use http::{HeaderMap, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use std::time::Duration;
use telemetry::{Service, Settings, Telemetry};
use tokio::net::TcpListener;

fn telemetry(variables: &[(&str, &str)]) -> Telemetry {
    let settings = Settings::from_vars(|name| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    });
    Telemetry::builder(Service::new("orders", "1.0.0"))
        .settings(settings.unwrap())
        .exporter(telemetry::Exporter::None)
        .without_subscriber()
        .build()
        .unwrap()
}

/// Records a counter and a log record through the APIs.
pub(crate) async fn record_and_shut_down(variables: &[(&str, &str)]) {
    let exporters = [
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
    ];
    let telemetry = telemetry(&[variables, &exporters].concat());
    let meter = telemetry.meter_provider().meter("orders");
    let placed = meter.u64_counter("orders.placed").build();
    placed.add(2, &[KeyValue::new("currency", "KRW")]);
    placed.add(3, &[KeyValue::new("currency", "KRW")]);
    let logger = telemetry.logger_provider().logger("orders");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Warn);
    record.set_body(AnyValue::from("stock is low"));
    logger.emit(record);
    telemetry.shutdown(Duration::from_secs(10)).await;
}

/// The requests' headers, of metrics and logs.
pub(crate) fn assert_recorded(requests: &Requests) -> [HeaderMap; 2] {
    // Our own metrics come as well, by themselves.
    let received: Vec<(HeaderMap, ExportMetricsServiceRequest)> = of(requests, "metrics");
    let (headers, request) = received
        .into_iter()
        .rfind(|(_, request)| {
            request.resource_metrics[0].scope_metrics[0].metrics[0].name == "orders.placed"
        })
        .expect("nothing arrived");
    let resource = &request.resource_metrics[0];
    let attributes = &resource.resource.as_ref().unwrap().attributes;
    assert!(
        attributes
            .iter()
            .any(|attribute| attribute.key == "service.name")
    );
    let metric = &resource.scope_metrics[0].metrics[0];
    let Some(Data::Sum(sum)) = &metric.data else {
        panic!("not a sum: {metric:?}")
    };
    assert_eq!(sum.data_points[0].value, Some(Value::AsInt(5)));
    let received: Vec<(HeaderMap, ExportLogsServiceRequest)> = of(requests, "logs");
    let record = &received[0].1.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(record.severity_number, 13);
    [headers, received[0].0.clone()]
}

#[tokio::test]
async fn what_the_apis_record_is_exported_by_every_protocol() {
    for (protocol, kind) in [
        ("http/protobuf", "application/x-protobuf"),
        ("http/json", "application/json"),
        ("grpc", "application/grpc"),
    ] {
        for compression in ["none", "gzip"] {
            let (address, requests) = receiver().await;
            record_and_shut_down(&[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
                ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop"),
            ])
            .await;
            for headers in assert_recorded(&requests) {
                assert_eq!(headers["content-type"], kind);
                assert_eq!(headers["x-tenant"], "shop");
                let encoding = match protocol {
                    "grpc" => "grpc-encoding",
                    _ => "content-encoding",
                };
                let packed = headers.get(encoding).map(HeaderValue::as_bytes);
                assert_eq!(packed, (compression == "gzip").then_some(&b"gzip"[..]));
            }
        }
    }
}

#[tokio::test]
async fn changes_alone_are_exported_to_those_who_want_changes() {
    let (address, requests) = receiver().await;
    let telemetry = telemetry(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
    ]);
    let meters = telemetry.meter_provider().clone();
    let placed = meters.meter("orders").u64_counter("orders.placed").build();
    for orders in [2, 3] {
        placed.add(orders, &[]);
        // Blocks on the SDK's thread, which waits for ours: not on the receiver's.
        let meters = meters.clone();
        let flushed = tokio::task::spawn_blocking(move || meters.force_flush());
        flushed.await.unwrap().unwrap();
    }
    let received: Vec<(HeaderMap, ExportMetricsServiceRequest)> = of(&requests, "metrics");
    let values = received.iter().map(|(_, request)| {
        let metric = &request.resource_metrics[0].scope_metrics[0].metrics[0];
        let Some(Data::Sum(sum)) = &metric.data else {
            panic!("not a sum: {metric:?}")
        };
        sum.data_points[0].value.unwrap()
    });
    assert_eq!(
        values.collect::<Vec<_>>(),
        [Value::AsInt(2), Value::AsInt(3)]
    );
    telemetry.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn histograms_follow_the_settings() {
    let (address, requests) = receiver().await;
    let telemetry = telemetry(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "base2_exponential_bucket_histogram",
        ),
    ]);
    let meter = telemetry.meter_provider().meter("orders");
    meter.f64_histogram("orders.total").build().record(8.0, &[]);
    telemetry.shutdown(Duration::from_secs(10)).await;
    let received: Vec<(HeaderMap, ExportMetricsServiceRequest)> = of(&requests, "metrics");
    let mut metrics = received
        .iter()
        .map(|(_, request)| &request.resource_metrics[0].scope_metrics[0].metrics[0]);
    let total = metrics.find(|metric| metric.name == "orders.total");
    let Some(Data::ExponentialHistogram(histogram)) = &total.unwrap().data else {
        panic!("not exponential: {total:?}")
    };
    assert_eq!(histogram.data_points[0].count, 1);
}

#[tokio::test]
async fn without_an_endpoint_recording_is_free_and_shutdown_is_quick() {
    let telemetry = telemetry(&[]);
    telemetry
        .meter_provider()
        .meter("orders")
        .u64_counter("orders.placed")
        .build()
        .add(1, &[]);
    let logger = telemetry.logger_provider().logger("orders");
    logger.emit(logger.create_log_record());
    let report = telemetry.shutdown(Duration::from_secs(10)).await;
    assert!(report.elapsed < Duration::from_secs(5), "{report}");
}

#[tokio::test]
async fn a_receiver_that_never_answers_does_not_hold_up_the_shutdown() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let telemetry = telemetry(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
    ]);
    telemetry
        .meter_provider()
        .meter("orders")
        .u64_counter("orders.placed")
        .build()
        .add(1, &[]);
    let report = telemetry.shutdown(Duration::from_millis(300)).await;
    assert!(report.elapsed < Duration::from_secs(3), "{report}");
}

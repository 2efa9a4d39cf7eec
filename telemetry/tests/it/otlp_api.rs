//! What is recorded through the OpenTelemetry APIs arrives at a real OTLP receiver.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry::{Service, Settings, Telemetry};

pub(crate) type Requests = Arc<Mutex<Vec<(String, HeaderMap, Vec<u8>)>>>;

/// An OTLP/HTTP receiver; its address and what it got.
pub(crate) async fn receiver() -> (String, Requests) {
    let requests = Requests::default();
    let keep = |signal: &'static str| {
        post(
            move |State(requests): State<Requests>, headers: HeaderMap, body: Bytes| async move {
                let mut bytes = body.to_vec();
                if headers
                    .get("content-encoding")
                    .is_some_and(|encoding| encoding == "gzip")
                {
                    bytes.clear();
                    flate2::read::GzDecoder::new(&body[..])
                        .read_to_end(&mut bytes)
                        .unwrap();
                }
                requests
                    .lock()
                    .unwrap()
                    .push((signal.to_owned(), headers, bytes));
            },
        )
    };
    let app = Router::new()
        .route("/v1/metrics", keep("metrics"))
        .route("/v1/logs", keep("logs"))
        .with_state(Arc::clone(&requests));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, requests)
}

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

pub(crate) fn of<M: Message + Default>(requests: &Requests, signal: &str) -> Vec<(HeaderMap, M)> {
    let requests = requests.lock().unwrap();
    let some = requests.iter().filter(|(name, ..)| name == signal);
    some.map(|(_, headers, body)| (headers.clone(), M::decode(&body[..]).unwrap()))
        .collect()
}

#[tokio::test]
async fn metrics_of_the_api_are_exported() {
    let (address, requests) = receiver().await;
    let telemetry = telemetry(&[
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &address),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=shop"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ]);
    let meter = telemetry.meter_provider().meter("orders");
    let placed = meter.u64_counter("orders.placed").build();
    placed.add(2, &[KeyValue::new("currency", "KRW")]);
    placed.add(3, &[KeyValue::new("currency", "KRW")]);
    telemetry.shutdown(Duration::from_secs(10)).await;

    let received: Vec<(HeaderMap, ExportMetricsServiceRequest)> = of(&requests, "metrics");
    // Our own metrics come as well, by themselves.
    let placed = |request: &ExportMetricsServiceRequest| {
        request.resource_metrics[0].scope_metrics[0].metrics[0].name == "orders.placed"
    };
    let (headers, request) = received
        .iter()
        .rfind(|(_, request)| placed(request))
        .expect("nothing arrived");
    assert_eq!(headers["x-tenant"], "shop");
    assert_eq!(headers["content-encoding"], "gzip");
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
}

#[tokio::test]
async fn logs_of_the_api_are_exported() {
    let (address, requests) = receiver().await;
    let telemetry = telemetry(&[
        ("OTEL_LOGS_EXPORTER", "otlp"),
        (
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
            &format!("{address}/v1/logs"),
        ),
    ]);
    let logger = telemetry.logger_provider().logger("orders");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Warn);
    record.set_body(AnyValue::from("stock is low"));
    logger.emit(record);
    telemetry.shutdown(Duration::from_secs(10)).await;

    let received: Vec<(HeaderMap, ExportLogsServiceRequest)> = of(&requests, "logs");
    let record = &received[0].1.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(record.severity_number, 13);
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
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
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

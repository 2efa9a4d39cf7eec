//! The official SDK, as its documentation sets it up.

use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, TracerProviderBuilder};

/// One is as good as another for whoever reads it.
pub(super) const INSTANCE: &str = "01900000-0000-7000-8000-000000000000";

pub(super) fn resource() -> Resource {
    Resource::builder()
        .with_service_name("shop")
        .with_attribute(opentelemetry::KeyValue::new("service.version", "1.0.0"))
        .with_attribute(opentelemetry::KeyValue::new(
            "service.instance.id",
            INSTANCE,
        ))
        .build()
}

/// Its exporter has a client that must not be made or used on a thread of tokio's.
pub(super) async fn tracer_provider(
    address: &str,
    add: impl FnOnce(TracerProviderBuilder) -> TracerProviderBuilder + Send + 'static,
) -> SdkTracerProvider {
    let endpoint = format!("{address}/v1/traces");
    apart(move || {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .build()
            .unwrap();
        let batches = BatchSpanProcessor::builder(exporter).build();
        let builder = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_span_processor(batches);
        add(builder).build()
    })
    .await
}

pub(super) async fn meter_provider(address: &str) -> SdkMeterProvider {
    let endpoint = format!("{address}/v1/metrics");
    apart(move || {
        let exporter = MetricExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .build()
            .unwrap();
        SdkMeterProvider::builder()
            .with_resource(resource())
            .with_reader(PeriodicReader::builder(exporter).build())
            .build()
    })
    .await
}

pub(super) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

//! Metrics: pulled, pushed, and named.

use super::{exported, one_span, texts, try_build};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

#[tokio::test]
async fn prometheus_pulls_from_a_listener_of_its_own() {
    let variables = |port| {
        [
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
            ("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1"),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", port),
        ]
    };
    let telemetry = try_build(&variables("0")).unwrap();
    one_span(&telemetry);
    let address = telemetry.prometheus_address().unwrap();
    assert!(address.ip().is_loopback());
    let client = reqwest::Client::new();
    let page = client.get(format!("http://{address}/metrics"));
    let page = page.send().await.unwrap();
    let content_type = page.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(
        content_type.starts_with("text/plain; version=0.0.4"),
        "{content_type}"
    );
    let text = page.text().await.unwrap();
    assert!(
        text.contains("http_server_request_duration_seconds_count{"),
        "{text}"
    );
    for (method, path, status) in [("GET", "/", 404), ("POST", "/metrics", 405)] {
        let request = client.request(method.parse().unwrap(), format!("http://{address}{path}"));
        assert_eq!(request.send().await.unwrap().status(), status);
    }
    let error = try_build(&variables(&address.port().to_string())).unwrap_err();
    assert!(
        error.to_string().contains("OTEL_EXPORTER_PROMETHEUS_PORT"),
        "{error}"
    );
    drop(telemetry);
    while client
        .get(format!("http://{address}/metrics"))
        .send()
        .await
        .is_ok()
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn methods_that_are_not_known_are_other() {
    let known = ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "POST,get");
    let requests = exported(&[known], one_span).await;
    let spans = requests[0].spans();
    let attributes = texts(&spans[0].attributes);
    assert_eq!(attributes["http.request.method"], "_OTHER");
    assert_eq!(attributes["http.request.method_original"], "GET");
    assert_eq!(spans[0].name, "HTTP /orders/{id}");
}

#[tokio::test]
async fn metrics_are_pushed_as_told() {
    let push = |preference: &'static str| {
        [
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "60000"),
            ("OTEL_METRIC_EXPORT_TIMEOUT", "5000"),
            (
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                preference,
            ),
        ]
    };
    for (preference, temporality) in [("cumulative", 2), ("Delta", 1), ("lowmemory", 1)] {
        let requests = exported(&push(preference), one_span).await;
        let metrics = requests.iter().flat_map(|request| {
            let request = ExportMetricsServiceRequest::decode(&request.body[..]).unwrap();
            let scopes = request.resource_metrics.into_iter();
            let scopes = scopes.flat_map(|resource| resource.scope_metrics);
            scopes.flat_map(|scope| scope.metrics)
        });
        let duration = metrics
            .filter(|metric| metric.name == "http.server.request.duration")
            .find_map(|metric| match metric.data {
                Some(Data::Histogram(histogram)) => Some(histogram),
                _ => None,
            });
        let histogram = duration.unwrap();
        assert_eq!(
            histogram.aggregation_temporality, temporality,
            "{preference}"
        );
    }
}

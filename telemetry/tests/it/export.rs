//! What arrives at a collector, byte for byte as OTLP wants it.

use crate::collector::{Collector, Say, settings};
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use std::time::Duration;
use telemetry::http::{ServerRequest, Trust};
use telemetry::settings::{Compression, Protocol};
use telemetry::{DropReason, Service, Settings, Telemetry};

pub(crate) fn build(settings: Settings) -> Telemetry {
    let service = Service::new("orders", "1.2.3").instance_id("one");
    Telemetry::builder(service)
        .settings(settings)
        .without_subscriber()
        .build()
        .unwrap()
}

/// Ends one server span with this status.
pub(crate) fn span(telemetry: &Telemetry, path: &str, status: StatusCode) {
    let mut span = telemetry.edge().start(&ServerRequest {
        method: &Method::GET,
        uri: &path.parse::<Uri>().unwrap(),
        version: Version::HTTP_11,
        headers: &HeaderMap::new(),
        peer: Some("[2001:db8::7]:4000".parse().unwrap()),
        scheme: "http",
        route: Some("/orders/{id}"),
        trust: Trust::Link,
    });
    span.status(status);
    span.finish();
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> &'a any_value::Value {
    let pair = attributes.iter().find(|pair| pair.key == key);
    let pair = pair.unwrap_or_else(|| panic!("no {key} in {attributes:?}"));
    pair.value.as_ref().unwrap().value.as_ref().unwrap()
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    match value(attributes, key) {
        any_value::Value::StringValue(text) => text,
        other => panic!("{key} is {other:?}"),
    }
}

async fn arrives(protocol: Protocol, compression: Compression) {
    let collector = Collector::start().await;
    let telemetry = build(collector.settings(protocol, compression));
    span(&telemetry, "/orders/7?sig=SECRET&a=1", StatusCode::OK);
    span(&telemetry, "/orders/8", StatusCode::BAD_GATEWAY);
    telemetry.flush().await;
    let requests = collector.requests();
    let [(headers, request)] = &requests[..] else {
        panic!("{} requests", requests.len())
    };
    assert_eq!(headers["x-tenant"], "a b");
    let [resource_spans] = &request.resource_spans[..] else {
        panic!("not one resource")
    };
    let resource = &resource_spans.resource.as_ref().unwrap().attributes;
    assert_eq!(text(resource, "service.name"), "orders");
    assert_eq!(text(resource, "service.version"), "1.2.3");
    assert_eq!(text(resource, "service.instance.id"), "one");
    assert_eq!(text(resource, "deployment.environment.name"), "test");
    assert!(
        resource_spans
            .schema_url
            .starts_with("https://opentelemetry.io/schemas/")
    );
    let [scope_spans] = &resource_spans.scope_spans[..] else {
        panic!("not one scope")
    };
    assert_eq!(
        scope_spans.scope.as_ref().unwrap().name,
        "citywatch-telemetry"
    );
    let [good, bad] = &scope_spans.spans[..] else {
        panic!("not two spans")
    };
    assert_eq!(good.name, "GET /orders/{id}");
    assert_eq!(good.kind, 2);
    assert_eq!((good.trace_id.len(), good.span_id.len()), (16, 8));
    assert!(good.parent_span_id.is_empty());
    assert!(good.end_time_unix_nano >= good.start_time_unix_nano);
    assert!(good.start_time_unix_nano > 1_700_000_000_000_000_000);
    assert_eq!(text(&good.attributes, "url.query"), "sig=REDACTED&a=1");
    assert_eq!(text(&good.attributes, "client.address"), "2001:db8::7");
    assert_eq!(
        value(&good.attributes, "http.response.status_code"),
        &any_value::Value::IntValue(200)
    );
    assert!(good.status.is_none());
    assert_eq!(text(&bad.attributes, "error.type"), "502");
    assert_eq!(bad.status.as_ref().unwrap().code, 2);
    let counts = telemetry.counts();
    assert_eq!((counts.produced, counts.exported, counts.queued), (2, 2, 0));
}

#[tokio::test]
async fn spans_arrive_over_http() {
    arrives(Protocol::HttpProtobuf, Compression::None).await;
    arrives(Protocol::HttpProtobuf, Compression::Gzip).await;
}

#[tokio::test]
async fn spans_arrive_as_json() {
    arrives(Protocol::HttpJson, Compression::None).await;
    arrives(Protocol::HttpJson, Compression::Gzip).await;
}

#[tokio::test]
async fn spans_arrive_over_grpc() {
    arrives(Protocol::Grpc, Compression::None).await;
    arrives(Protocol::Grpc, Compression::Gzip).await;
}

#[tokio::test]
async fn spans_leave_without_being_asked_for() {
    let collector = Collector::start().await;
    let telemetry = build(collector.settings(Protocol::HttpProtobuf, Compression::None));
    span(&telemetry, "/", StatusCode::OK);
    collector.spans(1).await;
    span(&telemetry, "/", StatusCode::OK);
    collector.spans(2).await;
}

#[tokio::test]
async fn many_spans_of_many_threads_all_arrive() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let collector = Collector::start().await;
        let telemetry = build(collector.settings(protocol, Compression::None));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let telemetry = telemetry.clone();
                std::thread::spawn(move || {
                    for _ in 0..2_500 {
                        span(&telemetry, "/orders/7", StatusCode::OK);
                        let counts = telemetry.counts();
                        assert_eq!(
                            counts.produced,
                            counts.exported + counts.dropped() + counts.queued,
                            "{counts:?}"
                        );
                    }
                })
            })
            .collect();
        let joined = threads
            .into_iter()
            .try_for_each(std::thread::JoinHandle::join);
        assert!(joined.is_ok());
        let report = telemetry.shutdown(Duration::from_secs(20)).await;
        assert_eq!(report.spans.exported, 10_000, "{report}");
        assert!(report.is_complete(), "{report}");
        collector.spans(10_000).await;
        for (_, request) in collector.requests() {
            let spans: usize = request
                .resource_spans
                .iter()
                .flat_map(|resource| &resource.scope_spans)
                .map(|scope| scope.spans.len())
                .sum();
            assert!(spans <= 512, "{spans} spans in one request");
        }
    }
}

#[tokio::test]
async fn what_may_be_tried_again_is() {
    for (protocol, answers) in [
        (Protocol::HttpProtobuf, vec![Say::Status(503)]),
        (Protocol::Grpc, vec![Say::GrpcStatus(14)]),
    ] {
        let collector = Collector::start().await;
        collector.say(answers);
        let telemetry = build(collector.settings(protocol, Compression::None));
        span(&telemetry, "/", StatusCode::OK);
        collector.spans(1).await;
        let report = telemetry.shutdown(Duration::from_secs(5)).await;
        assert!(report.is_complete(), "{report}");
        assert_eq!(report.spans.exported, 1);
    }
}

#[tokio::test]
async fn what_the_collector_refuses_is_lost_and_counted() {
    for (protocol, answer, rejected) in [
        (Protocol::HttpProtobuf, Say::Status(400), 2),
        (Protocol::HttpProtobuf, Say::Rejected(1), 1),
        (Protocol::HttpJson, Say::Rejected(1), 1),
        (Protocol::Grpc, Say::GrpcStatus(3), 2),
        (Protocol::Grpc, Say::Status(404), 2),
        (Protocol::Grpc, Say::Rejected(1), 1),
    ] {
        let collector = Collector::start().await;
        collector.say([answer]);
        let telemetry = build(settings(collector.address, protocol, Compression::None));
        span(&telemetry, "/", StatusCode::OK);
        span(&telemetry, "/", StatusCode::OK);
        let report = telemetry.shutdown(Duration::from_secs(5)).await;
        assert_eq!(
            report.spans.dropped_for(DropReason::Rejected),
            rejected,
            "{report}"
        );
        assert_eq!(report.spans.exported, 2 - rejected, "{report}");
    }
}

#[tokio::test]
async fn nothing_is_recorded_when_nothing_is_exported() {
    let settings =
        Settings::from_vars(|name| (name == "OTEL_TRACES_EXPORTER").then(|| "none".to_owned()));
    let telemetry = build(settings.unwrap());
    span(&telemetry, "/", StatusCode::OK);
    assert_eq!(telemetry.counts().produced, 0);
    let report = telemetry.shutdown(Duration::from_secs(5)).await;
    assert!(report.is_complete());
}

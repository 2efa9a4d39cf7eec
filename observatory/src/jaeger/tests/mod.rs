//! The routes, asked as clients ask them, over a store filled with OTLP.

mod fixtures;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{Status, span as parts};
use prost::Message as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::meters::Meters;
use crate::otlp::{Inflight, Ingest, Limits, Packing};
use crate::samples::{NOON, attribute, failed, request, resource_spans, span};
use crate::store::Store;

struct Sut {
    ingest: Ingest,
}

impl Sut {
    fn new() -> Self {
        let limits = Limits {
            message: 64 << 20,
            read: Duration::from_secs(5),
        };
        let store = Arc::new(Store::new(64 << 20));
        let meters = Meters::register(&prometheus::Registry::new(), &store).unwrap();
        Sut {
            ingest: Ingest {
                store,
                meters,
                limits,
                inflight: Inflight::new(64 << 20),
            },
        }
    }

    async fn with(requests: impl IntoIterator<Item = ExportTraceServiceRequest>) -> Self {
        let sut = Sut::new();
        for request in requests {
            let share = sut.ingest.inflight.share();
            let bytes = request.encode_to_vec().into();
            assert_eq!(
                sut.ingest
                    .traces(bytes, Packing::None, share)
                    .await
                    .unwrap()
                    .spans(),
                0
            );
        }
        sut
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let router = super::router(super::Queries::of(Arc::clone(&self.ingest.store)));
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(
            answer.headers()["content-type"],
            "application/json",
            "{path}"
        );
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn data(&self, path: &str) -> Value {
        let (status, mut body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        assert_eq!(body["errors"], Value::Null, "{path}");
        body["data"].take()
    }

    async fn refused(&self, path: &str, status: StatusCode) -> String {
        let (got, body) = self.get(path).await;
        assert_eq!(got, status, "{path}: {body}");
        assert_eq!(body["errors"][0]["code"], status.as_u16());
        assert_eq!(body["data"], Value::Null);
        body["errors"][0]["msg"].as_str().unwrap().to_owned()
    }
}

/// `start` and `end` of a search around [`NOON`].
const AROUND: &str = "start=1767268700000000&end=1767268900000000";

fn ids(traces: &Value) -> Vec<&str> {
    traces
        .as_array()
        .unwrap()
        .iter()
        .map(|trace| trace["traceID"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_span_with_everything_is_translated_as_jaeger_does() {
    let mut one = failed(
        span(0xab << 64, 8, 9, "GET /a", NOON + 1_999, 1_500),
        "it broke",
    );
    one.flags = 0x301;
    one.trace_state = "k=v".to_owned();
    one.attributes = vec![
        attribute("zone", "b"),
        attribute("safe", (1 << 53) - 1),
        attribute("unsafe", 1 << 53),
        attribute("least", i64::MIN),
        attribute("ratio", 72.5),
        attribute("endless", f64::INFINITY),
        attribute("blob", vec![0, 0, 48, 57]),
        attribute("ok", false),
    ];
    let event = |time, name: &str, attributes| parts::Event {
        time_unix_nano: time,
        name: name.to_owned(),
        attributes,
        ..Default::default()
    };
    one.events = vec![
        event(NOON + 9_999, "late", vec![attribute("n", 2)]),
        event(NOON + 5_000, "early", vec![attribute("event", "named")]),
    ];
    let link = |trace: u128, span: u64, kind: Option<&str>| parts::Link {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: span.to_be_bytes().to_vec(),
        attributes: kind
            .map(|kind| attribute("opentracing.ref_type", kind))
            .into_iter()
            .collect(),
        ..Default::default()
    };
    one.links = vec![
        link(0xff, 0xfe, None),
        link(0xff, 0xfd, Some("child_of")),
        link(0xab << 64, 9, None),
        link(0, 0, None),
    ];
    let sut = Sut::with([request(vec![resource_spans("shop", vec![one])])]).await;
    let trace = sut.data("/api/traces/ab0000000000000000").await;
    let text = |key: &str, value: &str| json!({"key": key, "type": "string", "value": value});
    let id = "00000000000000ab0000000000000000";
    let expected = json!([{
        "traceID": id,
        "spans": [{
            "traceID": id, "spanID": "0000000000000008", "flags": 1, "operationName": "GET /a",
            "references": [
                {"refType": "FOLLOWS_FROM", "traceID": id, "spanID": "0000000000000009"},
                {"refType": "FOLLOWS_FROM", "traceID": "00000000000000ff", "spanID": "00000000000000fe"},
                {"refType": "CHILD_OF", "traceID": "00000000000000ff", "spanID": "00000000000000fd"},
            ],
            "startTime": NOON / 1_000 + 1, "duration": 1_500,
            "tags": [
                text("otel.scope.name", "samples"),
                {"key": "blob", "type": "binary", "value": "AAAwOQ=="},
                {"key": "endless", "type": "float64", "value": "+Inf"},
                {"key": "least", "type": "int64", "value": "-9223372036854775808"},
                {"key": "ok", "type": "bool", "value": false},
                {"key": "ratio", "type": "float64", "value": 72.5},
                {"key": "safe", "type": "int64", "value": 9_007_199_254_740_991i64},
                {"key": "unsafe", "type": "int64", "value": "9007199254740992"},
                text("zone", "b"),
                text("span.kind", "server"),
                text("otel.status_code", "ERROR"),
                {"key": "error", "type": "bool", "value": true},
                text("otel.status_description", "it broke"),
                text("w3c.tracestate", "k=v"),
            ],
            "logs": [
                {"timestamp": NOON / 1_000 + 5, "fields": [text("event", "named")]},
                {"timestamp": NOON / 1_000 + 9, "fields": [
                    text("event", "late"), {"key": "n", "type": "int64", "value": 2}]},
            ],
            "processID": "p1", "warnings": null,
        }],
        "processes": {"p1": {"serviceName": "shop", "tags": [text("host.name", "a")]}},
        "warnings": null,
    }]);
    assert_eq!(trace, expected);
    let raw = sut.data("/api/traces/ab0000000000000000?raw=true").await;
    assert_eq!(
        raw[0]["spans"][0]["tags"][1]["key"], "zone",
        "raw keeps the order of arrival"
    );
    assert_eq!(
        raw[0]["spans"][0]["references"].as_array().unwrap().len(),
        4
    );
    let pretty = sut
        .data("/api/traces/ab0000000000000000?prettyPrint=true")
        .await;
    assert_eq!(pretty, trace);
}

#[tokio::test]
async fn a_bare_span_has_empty_lists_and_no_time_below_zero() {
    let mut one = span(1, 2, 0, "", NOON, 0);
    one.end_time_unix_nano = NOON - 5;
    one.kind = 0;
    one.status = Some(Status {
        code: 1,
        ..Default::default()
    });
    let mut bare = resource_spans("a", vec![one]);
    bare.resource = None;
    bare.scope_spans[0].scope = None;
    let sut = Sut::with([request(vec![bare])]).await;
    let trace = sut.data("/api/traces/1").await;
    let span = &trace[0]["spans"][0];
    assert_eq!(span["duration"], 0);
    assert_eq!(
        (&span["references"], &span["logs"]),
        (&json!([]), &json!([]))
    );
    let tag = json!([{"key": "otel.status_code", "type": "string", "value": "OK"}]);
    assert_eq!((&span["tags"], span.get("flags")), (&tag, None));
    let process = json!({"p1": {"serviceName": "OTLPResourceNoServiceName", "tags": []}});
    assert_eq!(trace[0]["processes"], process);
}

#[tokio::test]
async fn equal_processes_share_an_id_and_retries_are_seen_once() {
    let spans = || vec![span(1, 1, 0, "x", NOON, 9)];
    let mut other_scope = resource_spans("a", vec![span(1, 2, 1, "y", NOON, 5)]);
    other_scope.scope_spans[0].scope.as_mut().unwrap().name = "other".to_owned();
    other_scope.resource.as_mut().unwrap().attributes.reverse();
    let sut = Sut::with([
        request(vec![resource_spans("a", spans())]),
        request(vec![resource_spans("a", spans()), other_scope]),
        request(vec![resource_spans("b", vec![span(1, 3, 2, "z", NOON, 2)])]),
    ])
    .await;
    let trace = sut.data("/api/traces/1").await;
    let processes = |trace: &Value| -> Vec<String> {
        let spans = trace[0]["spans"].as_array().unwrap();
        spans
            .iter()
            .map(|span| span["processID"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(processes(&trace), ["p1", "p1", "p2"]);
    assert_eq!(trace[0]["processes"].as_object().unwrap().len(), 2);
    assert_eq!(processes(&sut.data("/api/traces/1?raw=1").await).len(), 4);
}

#[tokio::test]
async fn names_are_listed() {
    let mut client = span(1, 2, 1, "call", NOON, 5);
    client.kind = 3;
    let sut = Sut::with([request(vec![
        resource_spans("team/shop", vec![span(1, 1, 0, "serve", NOON, 9), client]),
        resource_spans("b", vec![span(1, 3, 2, "call", NOON, 2)]),
    ])])
    .await;
    let (_, services) = sut.get("/api/services").await;
    assert_eq!(
        (&services["data"], &services["total"]),
        (&json!(["b", "team/shop"]), &json!(2))
    );
    assert_eq!(
        (&services["limit"], &services["offset"]),
        (&json!(0), &json!(0))
    );
    for path in [
        "/api/services/team/shop/operations",
        "/api/services/team%2Fshop/operations",
    ] {
        assert_eq!(sut.data(path).await, json!(["call", "serve"]));
    }
    assert_eq!(sut.data("/api/services/nobody/operations").await, json!([]));
    let operations = sut.data("/api/operations?service=team/shop").await;
    let serve = json!({"name": "serve", "spanKind": "server"});
    assert_eq!(
        operations,
        json!([{"name": "call", "spanKind": "client"}, serve])
    );
    assert_eq!(
        sut.data("/api/operations?service=team/shop&spanKind=server")
            .await,
        json!([serve])
    );
    let message = sut
        .refused("/api/operations", StatusCode::BAD_REQUEST)
        .await;
    assert_eq!(message, "parameter 'service' is required");
    assert_eq!(
        Sut::new().data("/api/services").await,
        json!([]),
        "never null"
    );
}

#[tokio::test]
async fn traces_are_searched_by_every_parameter() {
    let mut tagged = span(2, 1, 0, "pay", NOON + 1_000_000, 80_000);
    tagged.attributes = vec![
        attribute("http.response.status_code", 503),
        attribute("a:b", "c:d"),
    ];
    tagged.kind = 3;
    let sut = Sut::with([
        request(vec![resource_spans(
            "shop",
            vec![span(1, 1, 0, "browse", NOON, 3_000)],
        )]),
        request(vec![resource_spans(
            "shop",
            vec![failed(tagged, "declined")],
        )]),
        request(vec![resource_spans(
            "stock",
            vec![span(3, 1, 0, "browse", NOON, 9_000)],
        )]),
    ])
    .await;
    let cases: &[(&str, &[&str])] = &[
        ("service=shop", &["2", "1"]),
        ("service=shop&limit=1", &["2"]),
        ("service=shop&operation=browse", &["1"]),
        ("service=shop&operation=brows", &[]),
        ("service=nobody", &[]),
        ("service=shop&minDuration=80ms", &["2"]),
        ("service=shop&maxDuration=79.9ms", &["1"]),
        ("service=shop&minDuration=3ms&maxDuration=3ms", &["1"]),
        ("service=shop&minDuration=0s&maxDuration=0", &["2", "1"]),
        ("service=shop&tag=http.response.status_code:503", &["2"]),
        (
            "service=shop&tags=%7B%22http.response.status_code%22%3A%22503%22%7D",
            &["2"],
        ),
        (
            "service=shop&tags=%7B%22http.response.status_code%22%3A%22500%22%7D",
            &[],
        ),
        ("service=shop&tags=%7B%22a%3Ab%22%3A%22c%3Ad%22%7D", &["2"]),
        ("service=shop&tag=error:true", &["2"]),
        ("service=shop&tag=error:false", &["1"]),
        ("service=shop&tag=error:maybe", &[]),
        ("service=shop&tag=span.kind:client", &["2"]),
        ("service=shop&tag=span.status:ERROR", &["2"]),
        (
            "service=shop&tag=scope.name:samples&tag=host.name:a",
            &["2", "1"],
        ),
        ("service=shop&tag=scope.name:others", &[]),
        (
            "service=shop&tag=resource.host.name:a&operation=pay",
            &["2"],
        ),
        ("service=shop&tag=resource.a:b", &[]),
        ("traceID=3&traceID=1&traceID=3", &["3", "1"]),
    ];
    for (query, expected) in cases {
        let traces = sut.data(&format!("/api/traces?{AROUND}&{query}")).await;
        let expected: Vec<_> = expected.iter().map(|id| format!("{id:0>16}")).collect();
        assert_eq!(ids(&traces), expected, "{query}");
    }
    let windows = [
        (
            "start=1767268800000001&end=1767268800001000",
            vec!["0000000000000002"],
        ),
        (
            "start=1767268800000000&end=1767268800000999",
            vec!["0000000000000001"],
        ),
        ("start=0&end=1767268799999999", vec![]),
        (
            "start=-5&end=99999999999999999",
            vec!["0000000000000002", "0000000000000001"],
        ),
    ];
    for (window, expected) in windows {
        let traces = sut
            .data(&format!("/api/traces?service=shop&{window}"))
            .await;
        assert_eq!(ids(&traces), expected, "{window}");
    }
    let (status, body) = sut.get("/api/traces?traceID=1&traceID=77").await;
    assert_eq!(
        (status, body["data"].as_array().unwrap().len()),
        (StatusCode::OK, 1)
    );
    let missing = json!([{"msg": "trace not found", "traceID": "0000000000000077"}]);
    assert_eq!(body["errors"], missing);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_name() {
    let sut = Sut::new();
    let cases = [
        ("", "parameter 'service' is required"),
        ("operation=x", "parameter 'service' is required"),
        ("service=a&start=x", "unable to parse param 'start'"),
        ("service=a&end=1.5", "unable to parse param 'end'"),
        (
            "service=a&start=2&end=1",
            "start time must be before end time",
        ),
        ("service=a&limit=x", "unable to parse param 'limit'"),
        ("service=a&limit=0", "limit must be greater than 0"),
        ("service=a&limit=-1", "limit must be greater than 0"),
        (
            "service=a&minDuration=20",
            "unable to parse param 'minDuration': time: missing unit",
        ),
        (
            "service=a&maxDuration=20x",
            "unable to parse param 'maxDuration': time: unknown unit",
        ),
        (
            "service=a&maxDuration=-1s",
            "unable to parse param 'maxDuration'",
        ),
        (
            "service=a&minDuration=2s&maxDuration=1s",
            "'maxDuration' should be greater than 'minDuration'",
        ),
        (
            "service=a&tag=k",
            "malformed 'tag' parameter, expecting key:value, received: k",
        ),
        (
            "service=a&tags=k",
            "malformed 'tags' parameter, cannot unmarshal JSON",
        ),
        (
            "service=a&tags=%7B%22a%22%3A1%7D",
            "malformed 'tags' parameter, cannot unmarshal JSON",
        ),
        ("traceID=xyz", "cannot parse traceID param"),
        ("service=a&raw=x", "unable to parse param 'raw'"),
    ];
    for (query, expected) in cases {
        let path = format!("/api/traces?{query}");
        let message = sut.refused(&path, StatusCode::BAD_REQUEST).await;
        assert!(message.contains(expected), "{query}: {message}");
    }
    let message = sut.refused("/api/traces/1", StatusCode::NOT_FOUND).await;
    assert_eq!(message, "trace not found");
    sut.refused("/api/traces/xyz", StatusCode::BAD_REQUEST)
        .await;
    sut.refused("/api/traces/1?raw=x", StatusCode::BAD_REQUEST)
        .await;
    sut.refused("/api/services/a", StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn a_search_by_id_takes_start_and_end_as_hints_alone() {
    let sut = Sut::with([request(vec![resource_spans(
        "a",
        vec![span(1, 1, 0, "x", NOON, 9)],
    )])])
    .await;
    let millis = "/api/traces/1?start=1767268800000&end=1767268860000";
    assert_eq!(ids(&sut.data(millis).await), ["0000000000000001"]);
}

#[tokio::test]
async fn answers_larger_than_a_piece_are_whole() {
    let mut requests = Vec::new();
    for trace in 1..=20u128 {
        let mut spans = Vec::new();
        for id in 1..=100 {
            let mut one = span(trace, id, id - 1, "x", NOON, id);
            one.attributes = vec![attribute("text", "ab\"\u{1}한".repeat(50).as_str())];
            spans.push(one);
        }
        requests.push(request(vec![resource_spans("a", spans)]));
    }
    let sut = Sut::with(requests).await;
    let traces = sut.data(&format!("/api/traces?service=a&{AROUND}")).await;
    let spans = traces
        .as_array()
        .unwrap()
        .iter()
        .map(|trace| trace["spans"].as_array().unwrap().len());
    assert_eq!(spans.collect::<Vec<_>>(), [100; 20]);
}

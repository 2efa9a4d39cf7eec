//! OTLP over gRPC.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use serde_json::json;

use crate::samples::{NOON, encoded, span};
use crate::sut::{Sut, TRACES, framed, grpc_request, gzip};

#[tokio::test]
async fn an_exported_trace_can_be_read_at_once() {
    let sut = Sut::start().await;
    let spans = vec![
        span(1, 1, 0, "root", NOON, 90),
        span(1, 2, 1, "leaf", NOON, 40),
    ];
    let called = sut.call(TRACES, &encoded("shop", spans)).await;
    assert_eq!((called.http.as_u16(), called.status), (200, Some(0)));
    assert_eq!(called.headers["content-type"], "application/grpc");
    assert_eq!(&called.body[..], [0; 5], "an empty message: full success");
    let trace = sut.json("/api/traces/1").await;
    assert_eq!(trace["data"][0]["spans"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn gzip_is_unpacked_and_other_compressions_are_refused() {
    let sut = Sut::start().await;
    let message = gzip(&encoded("shop", vec![span(1, 1, 0, "root", NOON, 90)]));
    let with = |encoding: &'static str, flag| {
        let mut request = grpc_request(TRACES, framed(flag, &message));
        request
            .headers_mut()
            .insert("grpc-encoding", encoding.parse().unwrap());
        request
    };
    assert_eq!(sut.exchange(with("gzip", 1)).await.status, Some(0));
    assert_eq!(sut.json("/api/services").await["data"], json!(["shop"]));
    let refused = sut.exchange(with("zstd", 1)).await;
    assert_eq!(refused.status, Some(12));
    assert_eq!(
        refused.headers["grpc-accept-encoding"],
        "identity,gzip,deflate"
    );
    assert_eq!(sut.exchange(with("identity", 1)).await.status, Some(13));
    let mut damaged = grpc_request(TRACES, framed(1, &message[..message.len() - 9]));
    damaged
        .headers_mut()
        .insert("grpc-encoding", "gzip".parse().unwrap());
    assert_eq!(sut.exchange(damaged).await.status, Some(3));
}

#[tokio::test]
async fn spans_with_bad_ids_are_refused_alone() {
    let sut = Sut::start().await;
    let mut bad = span(1, 2, 0, "bad", NOON, 90);
    bad.span_id = vec![0; 8];
    let called = sut
        .call(
            TRACES,
            &encoded("shop", vec![span(1, 1, 0, "x", NOON, 90), bad]),
        )
        .await;
    assert_eq!(called.status, Some(0));
    let answer = ExportTraceServiceResponse::decode(&called.body[5..]).unwrap();
    let partial = answer.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(
        partial.error_message.contains("id"),
        "{}",
        partial.error_message
    );
    let trace = sut.json("/api/traces/1").await;
    assert_eq!(trace["data"][0]["spans"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn metrics_and_logs_are_taken_and_dropped() {
    let sut = Sut::start().await;
    for method in [
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    ] {
        let called = sut.call(method, b"whatever it is").await;
        assert_eq!(
            (called.status, &called.body[..]),
            (Some(0), &[0; 5][..]),
            "{method}"
        );
    }
}

#[tokio::test]
async fn what_is_not_a_call_is_refused_by_its_status() {
    let sut = Sut::with(json!({"otlp_message_bytes": 1000})).await;
    let unknown = sut
        .call(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
            b"",
        )
        .await;
    assert_eq!(unknown.status, Some(12));
    let malformed = sut.call(TRACES, &[0x0a, 0x7f]).await;
    assert_eq!(malformed.status, Some(3));
    assert!(
        malformed.message.contains("not a valid export message"),
        "{}",
        malformed.message
    );
    let large = sut.call(TRACES, &[0; 1001]).await;
    assert_eq!(large.status, Some(8));
    assert!(
        !large.headers.contains_key("grpc-status-details-bin"),
        "not to be retried"
    );
    let bomb = gzip(&vec![0; 100_000]);
    let mut request = grpc_request(TRACES, framed(1, &bomb));
    request
        .headers_mut()
        .insert("grpc-encoding", "gzip".parse().unwrap());
    assert_eq!(sut.exchange(request).await.status, Some(8));
    let empty = sut.exchange(grpc_request(TRACES, "".into())).await;
    assert_eq!(empty.status, Some(12));
    let mut two = framed(0, b"").to_vec();
    two.extend_from_slice(&framed(0, b""));
    assert_eq!(
        sut.exchange(grpc_request(TRACES, two.into())).await.status,
        Some(12)
    );
    let mut html = grpc_request(TRACES, framed(0, b""));
    html.headers_mut()
        .insert("content-type", "text/html".parse().unwrap());
    let refused = sut.exchange(html).await;
    assert_eq!((refused.http.as_u16(), refused.status), (415, None));
    assert_eq!(sut.json("/api/services").await["data"], json!([]));
}

#[tokio::test]
async fn an_overloaded_receiver_says_when_to_come_again() {
    let sut = Sut::with(json!({"otlp_inflight_bytes": 10})).await;
    let called = sut
        .call(TRACES, &encoded("shop", vec![span(1, 1, 0, "x", NOON, 9)]))
        .await;
    assert_eq!(called.status, Some(14));
    assert!(
        called.headers.contains_key("grpc-status-details-bin"),
        "RetryInfo"
    );
}

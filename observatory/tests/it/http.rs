//! OTLP over HTTP.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::samples::{NOON, encoded, span};
use crate::sut::{Sut, deflate, gzip};

fn sample() -> Vec<u8> {
    encoded("shop", vec![span(1, 1, 0, "root", NOON, 90)])
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[tokio::test]
async fn an_exported_trace_can_be_read_at_once() {
    let sut = Sut::start().await;
    let answer = sut.post("/v1/traces", sample()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/x-protobuf");
    assert_eq!(
        answer.bytes().await.unwrap().len(),
        0,
        "full success is an empty message"
    );
    assert_eq!(sut.json("/api/services").await["data"], json!(["shop"]));
}

#[tokio::test]
async fn media_types_and_encodings_are_read_as_the_specification_says() {
    let sut = Sut::start().await;
    let cases: [(&str, &str, Vec<u8>, u16); 10] = [
        ("application/x-protobuf", "", sample(), 200),
        (
            "Application/X-Protobuf; charset=x",
            "identity",
            sample(),
            200,
        ),
        ("application/x-protobuf", "gzip", gzip(&sample()), 200),
        ("application/x-protobuf", "GZIP", gzip(&sample()), 200),
        ("application/x-protobuf", "deflate", deflate(&sample()), 200),
        ("application/x-protobuf", "br", sample(), 415),
        ("application/x-protobuf", "gzip", sample(), 400),
        ("application/json", "", sample(), 415),
        ("text/plain", "", sample(), 415),
        ("", "", sample(), 415),
    ];
    for (media_type, encoding, body, expected) in cases {
        let mut request = sut.post("/v1/traces", body).build().unwrap();
        request
            .headers_mut()
            .insert("content-type", media_type.parse().unwrap());
        if !encoding.is_empty() {
            request
                .headers_mut()
                .insert("content-encoding", encoding.parse().unwrap());
        }
        let answer = sut.running.http.execute(request).await.unwrap();
        assert_eq!(answer.status(), expected, "{media_type} {encoding}");
    }
}

#[tokio::test]
async fn every_refusal_has_its_status() {
    let sut = Sut::with(json!({"otlp_message_bytes": 1000})).await;
    let malformed = sut
        .post("/v1/traces", vec![0x0a, 0x7f])
        .send()
        .await
        .unwrap();
    assert_eq!(malformed.status(), 400);
    let status = RpcStatus::decode(malformed.bytes().await.unwrap()).unwrap();
    assert_eq!(status.code, 3);
    assert!(
        status.message.contains("not a valid export message"),
        "{}",
        status.message
    );
    let large = sut.post("/v1/traces", vec![0; 1001]).send().await.unwrap();
    assert_eq!(large.status(), 413);
    let bomb = sut.post("/v1/traces", gzip(&vec![0; 100_000]));
    let bomb = bomb
        .header("content-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(bomb.status(), 413);
    let url = format!(
        "http://{}/v1/traces",
        sut.running.named_address("otlp_http")
    );
    let got = sut.running.http.get(url).send().await.unwrap();
    assert_eq!(
        (got.status().as_u16(), &got.headers()["allow"]),
        (405, &"POST".parse().unwrap())
    );
    assert_eq!(
        got.text().await.unwrap(),
        "405 method not allowed, supported: [POST]"
    );
    assert_eq!(
        sut.post("/v1/nothing", "").send().await.unwrap().status(),
        404
    );
    for path in ["/v1/metrics", "/v1/logs"] {
        assert_eq!(
            sut.post(path, "whatever it is")
                .send()
                .await
                .unwrap()
                .status(),
            200
        );
        assert_eq!(
            sut.post(path, vec![0; 1001]).send().await.unwrap().status(),
            413
        );
    }
    assert_eq!(
        sut.post("/v1/traces", "").send().await.unwrap().status(),
        200,
        "empty is fine"
    );
}

#[tokio::test]
async fn spans_with_bad_ids_are_refused_alone() {
    let sut = Sut::start().await;
    let mut bad = span(1, 2, 0, "bad", NOON, 90);
    bad.trace_id = vec![1; 15];
    let body = encoded("shop", vec![bad, span(1, 1, 0, "x", NOON, 90)]);
    let answer = sut.post("/v1/traces", body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = ExportTraceServiceResponse::decode(answer.bytes().await.unwrap()).unwrap();
    assert_eq!(answer.partial_success.unwrap().rejected_spans, 1);
}

#[tokio::test]
async fn an_overloaded_receiver_says_when_to_come_again() {
    let sut = Sut::with(json!({"otlp_inflight_bytes": 10})).await;
    let answer = sut.post("/v1/traces", sample()).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    let small = sut.post("/v1/traces", "").send().await.unwrap();
    assert_eq!(small.status(), 200, "the share was given back");
}

#[tokio::test]
async fn a_sender_that_stalls_is_let_go() {
    let sut = Sut::with(json!({"otlp_read_timeout_ms": 50})).await;
    let mut stream = TcpStream::connect(sut.running.named_address("otlp_http"))
        .await
        .unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n\
                content-length: 10\r\n\r\nabc";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 408 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test]
async fn a_large_batch_is_taken_whole() {
    let sut = Sut::start().await;
    let spans = (1..=10_008)
        .map(|id| span(7, id, id - 1, "step", NOON + id, 5))
        .collect();
    let answer = sut.post("/v1/traces", gzip(&encoded("deep", spans)));
    let answer = answer
        .header("content-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let trace = sut.json("/api/traces/7").await;
    assert_eq!(trace["data"][0]["spans"].as_array().unwrap().len(), 10_008);
}

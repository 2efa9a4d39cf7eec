//! A route that can do without its service answers in its stead, in time, and says so to whoever
//! watches.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use futures_util::stream;
use serde_json::{Value, json};
use telemetry::testing::{Kind, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::behind::Behind;
use crate::raw::Answer;
use crate::town::{SERVICE, Street, routes, street};

const ASK: &str = "GET /extra HTTP/1.1\r\nhost: t\r\n\r\n";
const REASONS: [&str; 4] = [
    "service_unavailable",
    "bad_gateway",
    "gateway_timeout",
    "server_error",
];

async fn open(instances: &[SocketAddr]) -> Street {
    let mut table = routes();
    table.as_array_mut().unwrap().push(json!({
        "path": "/extra", "methods": ["GET"], "service": SERVICE, "access": "public",
        "timeout_ms": 300, "fallback": {"items": []},
    }));
    street(json!({ "routes": table }), instances).await
}

async fn counted(street: &Street) -> Vec<(&'static str, f64)> {
    let page = street.gateway.metrics().await;
    let series = |reason| format!("citywatch_gateway_fallbacks_total{{reason=\"{reason}\"}}");
    let value = |reason| (reason, crate::town::value(&page, &series(reason)));
    REASONS.map(value).to_vec()
}

async fn trace(street: &Street, answer: &Answer) -> Vec<Span> {
    testing::eventually("the trace is complete", || async {
        let mut spans = street.gateway.spans().await;
        spans.retain(|span| span.trace_id.to_string() == answer.trace_id());
        let ended = spans.iter().any(|span| span.kind == Kind::Server);
        ended.then_some(spans)
    })
    .await
}

/// The empty list, with 200; counted once, for this reason; said in the span, which is no error.
async fn assert_falls_back(street: &Street, reason: &str, attempts: &[&str]) {
    let before = counted(street).await;
    let answer = street.client().await.say(ASK).await;
    assert_eq!(answer.status, 200, "{reason}: {answer:?}");
    assert_eq!(answer.json(), json!({"items": []}), "{reason}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    let spans = trace(street, &answer).await;
    let server = spans.iter().find(|span| span.kind == Kind::Server).unwrap();
    assert_eq!(server.text("citywatch.fallback"), Some(reason));
    assert_eq!(server.number("http.response.status_code"), Some(200));
    assert!(!server.is_error(), "{server:?}");
    let mut calls: Vec<_> = spans.iter().filter(|s| s.kind == Kind::Client).collect();
    calls.sort_by_key(|span| span.start_nanos);
    let errors: Vec<_> = calls.iter().filter_map(|s| s.text("error.type")).collect();
    assert_eq!(errors, attempts, "{reason}");

    for ((counted, now), (_, was)) in counted(street).await.into_iter().zip(before) {
        let more = if counted == reason { 1.0 } else { 0.0 };
        assert!((now - was - more).abs() < f64::EPSILON, "{counted}: {now}");
    }
}

fn answering(extra: impl Fn() -> Body + Clone + Send + Sync + 'static) -> Behind {
    let extra = async move || extra();
    Behind::router(Router::new().fallback(extra))
}

#[tokio::test]
async fn without_an_instance_or_with_a_dead_one_the_list_is_empty() {
    let street = open(&[]).await;
    assert_falls_back(&street, "service_unavailable", &[]).await;
    let dead = Behind::router(Router::new());
    let address = dead.address;
    dead.kill();
    street.registry.place(SERVICE, &[address]);
    testing::eventually("the gateway knows the dead instance", || async {
        let answer = street.client().await.say(ASK).await;
        let spans = trace(&street, &answer).await;
        (spans.len() == 2).then_some(())
    })
    .await;
    assert_falls_back(&street, "service_unavailable", &["connection_refused"]).await;
}

#[tokio::test]
async fn a_service_that_is_slow_is_not_waited_for() {
    let silent = Router::new().fallback(async || std::future::pending::<()>().await);
    let silent = Behind::router(silent);
    let street = open(&[silent.address]).await;
    assert_falls_back(&street, "gateway_timeout", &["timeout"]).await;
    // The connection of whoever asked goes on.
    let mut client = street.client().await;
    for _ in 0..2 {
        assert_eq!(client.say(ASK).await.json(), json!({"items": []}));
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_not_waited_for() {
    let stalled = answering(|| {
        let part = stream::iter([Ok::<_, std::io::Error>("{\"items\": [")]);
        Body::from_stream(futures_util::StreamExt::chain(part, stream::pending()))
    });
    let street = open(&[stalled.address]).await;
    // Its head was an answer: the call itself did not fail.
    assert_falls_back(&street, "gateway_timeout", &[]).await;
}

#[tokio::test]
async fn a_service_that_fails_is_not_quoted() {
    let failing = Router::new().fallback(async || (StatusCode::SERVICE_UNAVAILABLE, "no"));
    let failing = Behind::router(failing);
    let street = open(&[failing.address]).await;
    assert_falls_back(&street, "server_error", &["503"]).await;
}

#[tokio::test]
async fn half_an_answer_nonsense_and_too_much_are_not_passed_on() {
    let endless = answering(|| Body::from(vec![b'1'; 300 * 1024]));
    let street = open(&[endless.address]).await;
    assert_falls_back(&street, "bad_gateway", &[]).await;

    for (answer, errors) in [
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this",
            &[][..],
        ),
        ("what?\r\n\r\n", &["connection_error"]),
    ] {
        let behind = Behind::sockets(move |_, mut socket| async move {
            let mut buffer = [0; 8192];
            let count = socket.read(&mut buffer).await.unwrap_or(0);
            let known = buffer[..count].starts_with(b"GET /known");
            let ok = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            let said = if known { ok } else { answer };
            let _ = socket.write_all(said.as_bytes()).await;
        });
        let street = open(&[behind.address]).await;
        assert_falls_back(&street, "bad_gateway", errors).await;
    }
}

#[tokio::test]
async fn what_a_service_says_in_time_passes_as_it_is() {
    let router = Router::new().route(
        "/extra",
        get(async |headers: HeaderMap| {
            let told: u64 = headers["citywatch-timeout-ms"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!(told < 300, "{told}");
            tokio::time::sleep(Duration::from_millis(5)).await;
            (
                [("etag", "\"7\"")],
                axum::Json(json!({"items": [told > 0]})),
            )
        }),
    );
    let behind = Behind::router(router);
    let street = open(&[behind.address]).await;
    let mut client = street.client().await;
    let answer = client.say(ASK).await;
    assert_eq!((answer.status, answer.header("etag")), (200, Some("\"7\"")));
    assert_eq!(answer.json(), json!({"items": [true]}));
    client.send("HEAD /extra HTTP/1.1\r\nhost: t\r\n\r\n").await;
    let (status, length) = client.head().await;
    assert_eq!((status, length.as_deref()), (200, Some("16")));
    assert!(
        counted(&street)
            .await
            .iter()
            .all(|(_, count)| *count == 0.0)
    );
    let spans = trace(&street, &answer).await;
    assert!(spans.iter().all(|s| s.text("citywatch.fallback").is_none()));
}

#[tokio::test]
async fn what_the_client_did_wrong_is_still_said() {
    let router =
        Router::new().fallback(async || (StatusCode::NOT_FOUND, "{\"code\":\"unknown_product\"}"));
    let behind = Behind::router(router);
    let street = open(&[behind.address]).await;
    let answer = street.client().await.say(ASK).await;
    assert_eq!(answer.status, 404);
    let said: Value = answer.json();
    assert_eq!(said["code"], "unknown_product");
}

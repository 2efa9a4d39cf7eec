//! The trace starts at the gateway: every answer names it, every attempt is in it.

use axum::Router;
use axum::http::HeaderMap;
use serde_json::json;
use telemetry::testing::{Kind, Span};

use crate::behind::Behind;
use crate::town::{Street, street};

const OUTSIDE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn trace(street: &Street, id: &str) -> Vec<Span> {
    testing::eventually("the trace is complete", || async {
        let spans = street.gateway.spans().await;
        let spans: Vec<Span> = spans
            .into_iter()
            .filter(|span| span.trace_id.to_string() == id)
            .collect();
        spans
            .iter()
            .any(|span| span.kind == Kind::Server)
            .then_some(spans)
    })
    .await
}

fn trace_id(answer: &crate::raw::Answer) -> String {
    answer
        .header("traceresponse")
        .unwrap()
        .split('-')
        .nth(1)
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_trace_starts_here_and_goes_on_behind() {
    let behind = Behind::router(Router::new().fallback(async |headers: HeaderMap| {
        headers
            .get("traceparent")
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    }));
    let street = street(json!({}), &[behind.address]).await;
    let request = format!(
        "GET /open/7 HTTP/1.1\r\nhost: t\r\ntraceparent: {OUTSIDE}\r\ntracestate: x=y\r\n\r\n"
    );
    let answer = street.client().await.say(request).await;
    let id = trace_id(&answer);
    assert!(!OUTSIDE.contains(&id), "a stranger's trace decides nothing");
    let behind_saw = String::from_utf8(answer.body).unwrap();
    assert_eq!(behind_saw.split('-').nth(1), Some(id.as_str()));

    let spans = trace(&street, &id).await;
    let server = spans.iter().find(|span| span.kind == Kind::Server).unwrap();
    let client = spans.iter().find(|span| span.kind == Kind::Client).unwrap();
    assert_eq!(spans.len(), 2);
    assert_eq!(server.parent_span_id, None);
    assert_eq!(server.name, "GET /open/{id}");
    assert_eq!(server.links.len(), 1);
    assert!(OUTSIDE.contains(&server.links[0].trace_id.to_string()));
    assert_eq!(client.parent_span_id, Some(server.span_id));
    assert_eq!(client.text("server.address"), Some("shop"));
    assert_eq!(
        behind_saw.split('-').nth(2),
        Some(client.span_id.to_string().as_str())
    );
}

#[tokio::test]
async fn a_trusted_peers_trace_goes_on() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({"trusted_peers": ["127.0.0.1"]}), &[behind.address]).await;
    let request = format!("GET /open HTTP/1.1\r\nhost: t\r\ntraceparent: {OUTSIDE}\r\n\r\n");
    let answer = street.client().await.say(request).await;
    let id = trace_id(&answer);
    assert!(OUTSIDE.contains(&id));
    let spans = trace(&street, &id).await;
    let server = spans.iter().find(|span| span.kind == Kind::Server).unwrap();
    assert_eq!(
        server.parent_span_id.unwrap().to_string(),
        "b7ad6b7169203331"
    );
}

#[tokio::test]
async fn refusals_have_their_trace_even_those_of_unreadable_requests() {
    let street = street(json!({}), &[]).await;
    for (request, error) in [
        ("GET /x HTTP/1.1\r\nhost: t\r\n\r\n", "unknown_route"),
        ("nonsense\r\n\r\n", "malformed_request"),
        (
            "GET /open HTTP/1.1\r\nhost: t\r\n\r\n",
            "service_unavailable",
        ),
    ] {
        let answer = street.client().await.say(request).await;
        assert_eq!(answer.problem(), error);
        let spans = trace(&street, &trace_id(&answer)).await;
        let server = spans.iter().find(|span| span.kind == Kind::Server).unwrap();
        assert_eq!(server.text("error.type"), Some(error));
        let status = i64::from(answer.status);
        assert_eq!(server.number("http.response.status_code"), Some(status));
    }
}

#[tokio::test]
async fn each_attempt_has_a_span() {
    let dead = Behind::router(Router::new());
    let dead_address = dead.address;
    dead.kill();
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({}), &[dead_address, behind.address]).await;
    let found = testing::eventually("a request meets the dead instance", || async {
        let answer = street
            .client()
            .await
            .say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n")
            .await;
        assert_eq!(answer.status, 200);
        let spans = trace(&street, &trace_id(&answer)).await;
        (spans.len() == 3).then_some(spans)
    })
    .await;
    let mut attempts: Vec<_> = found
        .iter()
        .filter(|span| span.kind == Kind::Client)
        .collect();
    attempts.sort_by_key(|span| span.number("http.request.resend_count"));
    assert_eq!(attempts[0].text("error.type"), Some("connection_refused"));
    assert_eq!(attempts[1].number("http.request.resend_count"), Some(1));
    assert_eq!(attempts[1].number("http.response.status_code"), Some(200));
}

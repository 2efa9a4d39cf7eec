//! The trace starts at the gateway: every answer names it, every attempt is in it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, HeaderName};
use serde_json::json;
use telemetry::context::SpanId;
use telemetry::testing::{Kind, Span, Tree};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::behind::Behind;
use crate::town::{Street, street};

const OUTSIDE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OUTSIDE_B3: &str = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1";
const OUTSIDE_SPAN: SpanId = SpanId(0xb7ad_6b71_6920_3331);

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

/// Header lines that a service gets with a request that had only a `Host` line.
const ALWAYS: [&str; 5] = [
    "citywatch-timeout-ms",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// A service that hangs up on each second request, and the heads of those that got there.
fn fickle() -> (Behind, Arc<Mutex<Vec<HeaderMap>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let behind = Behind::sockets(move |_, mut socket| {
        let seen = Arc::clone(&seen);
        async move {
            let mut bytes = Vec::new();
            while socket.read_buf(&mut bytes).await.unwrap_or(0) > 0 {
                let Some(head) = bytes.strip_suffix(b"\r\n\r\n") else {
                    continue;
                };
                let head = std::str::from_utf8(head).unwrap();
                let (line, lines) = head.split_once("\r\n").unwrap();
                if line.contains("/open/") {
                    let lines = lines.lines().map(|line| line.split_once(": ").unwrap());
                    let parsed = lines.map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap()));
                    let mut seen = seen.lock().unwrap();
                    seen.push(
                        parsed
                            .collect::<Vec<(HeaderName, _)>>()
                            .into_iter()
                            .collect(),
                    );
                    if seen.len() % 2 == 1 {
                        return;
                    }
                }
                bytes.clear();
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                socket.write_all(answer).await.unwrap();
            }
        }
    });
    (behind, heads)
}

/// Whoever calls, the services behind are told of one trace, in one format: each attempt of its
/// own span. A stranger's context decides nothing; that of a trusted peer goes on.
#[tokio::test]
async fn each_attempt_tells_of_its_own_span_and_of_nothing_else() {
    for (trusted_peers, goes_on) in [(json!([]), false), (json!(["127.0.0.1"]), true)] {
        let (behind, heads) = fickle();
        let settings = json!({ "trusted_peers": trusted_peers });
        let street = street(settings, &[behind.address]).await;
        let request = format!(
            "GET /open/7 HTTP/1.1\r\nhost: t\r\ntraceparent: {OUTSIDE}\r\ntracestate: x=y\r\n\
             baggage: tier=gold\r\nb3: {OUTSIDE_B3}\r\nX-B3-Sampled: 1\r\n\
             uber-trace-id: 7:7:0:1\r\nuberctx-tier: gold\r\nx-amzn-trace-id: Root=7\r\n\
             ot-tracer-traceid: 7\r\not-baggage-tier: gold\r\n\r\n"
        );
        let answer = street.client().await.say(request).await;
        assert_eq!(answer.status, 200);

        let spans = trace(&street, answer.trace_id()).await;
        let tree = match goes_on {
            true => Tree::under(OUTSIDE_SPAN, spans),
            false => Tree::one(spans),
        };
        let server = tree.root();
        tree.assert_shape(
            "gateway GET /open/{id}
               gateway GET
               gateway GET",
        );
        assert_eq!(server.kind, Kind::Server);
        assert_eq!(OUTSIDE.contains(answer.trace_id()), goes_on);
        let mut links = server.links.iter().map(|link| link.span_id);
        assert_eq!(links.next(), (!goes_on).then_some(OUTSIDE_SPAN));

        let attempts = tree.children(server.span_id);
        let heads = std::mem::take(&mut *heads.lock().unwrap());
        assert_eq!(heads.len(), attempts.len());
        for (number, (attempt, head)) in attempts.iter().zip(&heads).enumerate() {
            assert_eq!(attempt.kind, Kind::Client);
            assert_eq!(attempt.text("server.address"), Some("shop"));
            let resent = (number > 0).then_some(number as i64);
            assert_eq!(attempt.number("http.request.resend_count"), resent);
            let traceparent = format!("00-{}-{}-", attempt.trace_id, attempt.span_id);
            let told = head["traceparent"].to_str().unwrap();
            assert!(told.starts_with(&traceparent), "{told}\n{tree}");
            let mut names: BTreeSet<&str> = head.keys().map(HeaderName::as_str).collect();
            for name in ALWAYS.iter().chain(&["host", "traceparent"]) {
                assert!(names.remove(name), "no {name}");
            }
            let more: &[&str] = if goes_on {
                &["baggage", "tracestate"]
            } else {
                &[]
            };
            assert!(names.iter().eq(more), "{names:?}");
            if goes_on {
                assert_eq!(head["tracestate"], "x=y");
                assert_eq!(head["baggage"], "tier=gold");
            }
        }
    }
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
        let spans = trace(&street, answer.trace_id()).await;
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
        let spans = trace(&street, answer.trace_id()).await;
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

//! The client middleware against a real server.

use crate::{collected, nobody};
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Version};
use axum::routing::get;
use std::net::SocketAddr;
use telemetry::http::{ErrorType, ResendCount, ServerRequest, Trust, UrlTemplate};
use telemetry::testing::{Kind, Tree};
use telemetry::{Telemetry, context};
use tokio::net::TcpListener;

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Answers with the context that came in.
fn echo() -> Router {
    Router::new()
        .route(
            "/",
            get(|headers: HeaderMap| async move {
                let text = |name| {
                    headers
                        .get(name)
                        .map_or("", |value| value.to_str().unwrap())
                };
                format!("{} {}", text("traceparent"), text("baggage"))
            }),
        )
        .route("/broken", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
}

fn begin(telemetry: &Telemetry) -> telemetry::http::ServerSpan {
    let mut headers = HeaderMap::new();
    headers.insert("baggage", "user=alice".parse().unwrap());
    telemetry.edge().start(&ServerRequest {
        method: &"GET".parse().unwrap(),
        uri: &"/start".parse().unwrap(),
        version: Version::HTTP_11,
        headers: &headers,
        peer: None,
        scheme: "http",
        route: Some("/start"),
        trust: Trust::Parent,
    })
}

#[tokio::test]
async fn a_request_is_a_child_span_and_carries_the_context() {
    let (telemetry, collector) = collected("caller");
    let address = serve(echo()).await;
    let client = telemetry.client(reqwest::Client::new());
    let server = begin(&telemetry);
    let call = {
        let _scope = server.scope();
        context::in_current(async {
            let url = format!("http://user:secret@{address}/?sig=SECRET");
            client
                .get(url)
                .with_extension(UrlTemplate("/"))
                .with_extension(ResendCount(2))
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap()
        })
    };
    let seen = call.await;
    drop(server);
    let tree = Tree::one(collector.spans().await);
    let span = tree.span("GET /");
    assert_eq!(span.kind, Kind::Client);
    assert_eq!(
        seen,
        format!("00-{}-{}-03 user=alice", span.trace_id, span.span_id)
    );
    assert_eq!(span.parent_span_id, Some(tree.root().span_id));
    assert_eq!(
        span.text("url.full"),
        Some(&*format!("http://{address}/?sig=REDACTED"))
    );
    assert_eq!(span.text("server.address"), Some("127.0.0.1"));
    assert_eq!(span.number("server.port"), Some(i64::from(address.port())));
    assert_eq!(span.number("http.response.status_code"), Some(200));
    assert_eq!(span.number("http.request.resend_count"), Some(2));
    assert_eq!(span.text("url.template"), Some("/"));
    assert!(!span.is_error());
}

#[tokio::test]
async fn outside_any_request_a_trace_begins() {
    let (telemetry, collector) = collected("caller");
    let address = serve(echo()).await;
    let client = telemetry.client(reqwest::Client::new());
    client
        .get(format!("http://{address}/broken"))
        .send()
        .await
        .unwrap();
    let tree = Tree::one(collector.spans().await);
    assert_eq!(tree.root().text("error.type"), Some("503"));
    assert!(tree.root().is_error());
}

#[tokio::test]
async fn failures_are_named() {
    let (telemetry, collector) = collected("caller");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap();
    let dead = nobody();
    let client = telemetry.client(reqwest::Client::new());
    assert!(client.get(format!("http://{dead}/")).send().await.is_err());
    let timeout = std::time::Duration::from_millis(50);
    assert!(
        client
            .get(format!("http://{silent}/"))
            .timeout(timeout)
            .send()
            .await
            .is_err()
    );
    drop(tokio::time::timeout(timeout, client.get(format!("http://{silent}/")).send()).await);
    let spans = collector.spans().await;
    let errors: Vec<_> = spans
        .iter()
        .map(|span| span.text("error.type").unwrap())
        .collect();
    assert_eq!(errors, ["connection_refused", "timeout", "cancelled"]);
}

#[tokio::test]
async fn another_link_of_the_chain_may_know_better_why_an_attempt_fails() {
    let (telemetry, collector) = collected("caller");
    let dead = nobody();
    let alive = serve(echo()).await;
    let client = telemetry.client(reqwest::Client::new());
    let known = ErrorType::default();
    let get = |address| {
        let request = client.get(format!("http://{address}/"));
        request.with_extension(known.clone()).send()
    };
    get(alive).await.unwrap();
    known.set("circuit_open");
    known.set("later");
    // It failed; it was given up; it went well whatever was said.
    get(dead).await.unwrap_err();
    tokio::select! {
        biased;
        answer = get(alive) => panic!("nobody waited for {answer:?}"),
        () = std::future::ready(()) => {}
    }
    get(alive).await.unwrap();
    let spans = collector.spans().await;
    let errors: Vec<_> = spans.iter().map(|span| span.text("error.type")).collect();
    let said = Some("circuit_open");
    assert_eq!(errors, [None, said, said, None]);
}

#[tokio::test]
async fn two_services_make_one_tree() {
    let (front, collector) = collected("front");
    let back = Telemetry::builder(telemetry::Service::new("back", "0"))
        .exporter(collector.exporter())
        .without_subscriber()
        .build()
        .unwrap();
    let behind = serve(echo().layer(back.server_layer())).await;
    let client = front.client(reqwest::Client::new());
    let app = Router::new()
        .route(
            "/page",
            get(move || async move {
                client
                    .get(format!("http://{behind}/"))
                    .send()
                    .await
                    .unwrap()
                    .text()
                    .await
                    .unwrap()
            }),
        )
        .layer(front.server_layer());
    let before = serve(app).await;
    let response = reqwest::get(format!("http://{before}/page")).await.unwrap();
    let trace = response.headers()["traceresponse"].to_str().unwrap()[3..35].to_owned();
    response.bytes().await.unwrap();
    let tree = Tree::one(collector.wait_for(|spans| spans.len() == 3).await);
    assert_eq!(tree.root().trace_id.to_string(), trace);
    tree.assert_shape("front GET /page\n  front GET\n    back GET /");
}

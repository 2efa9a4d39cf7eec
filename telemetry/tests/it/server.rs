//! The server layer on a real router.

pub(crate) use crate::collected;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::BodyExt;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use telemetry::http::Traceresponse;
use telemetry::testing::{Collector, Kind, Span, Status};
use telemetry::{Telemetry, context};
use tower::ServiceExt;

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn app(telemetry: &Telemetry) -> Router {
    Router::new()
        .route(
            "/items/{id}",
            get(|| async { context::current().unwrap().span_id.to_string() }),
        )
        .route(
            "/broken",
            get(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
        )
        .route(
            "/panic",
            get(|| async { panic!("on purpose") as StatusCode }),
        )
        .route("/never", get(std::future::pending::<StatusCode>))
        .route("/any", any(|| async {}))
        .route("/stream", get(endless))
        .route("/fails", get(fails))
        .layer(telemetry.server_layer())
}

/// One piece, then silence.
async fn endless() -> impl IntoResponse {
    let first = stream::iter([Ok::<_, Infallible>("first")]);
    Body::from_stream(first.chain(stream::pending()))
}

async fn fails() -> impl IntoResponse {
    Body::from_stream(stream::iter([Ok("first"), Err("torn")]))
}

fn request(path: &str) -> Request<Body> {
    Request::builder()
        .uri(path)
        .header("host", "shop.example:8080")
        .body(Body::empty())
        .unwrap()
}

/// The only span there is.
async fn only(collector: &Collector) -> Span {
    let mut spans = collector.spans().await;
    assert_eq!(spans.len(), 1, "{spans:#?}");
    spans.remove(0)
}

#[tokio::test]
async fn a_request_is_a_span_of_its_caller() {
    let (telemetry, collector) = collected("items");
    let mut request = request("/items/7?a=1");
    let headers = request.headers_mut();
    headers.insert("traceparent", TRACEPARENT.parse().unwrap());
    headers.insert("tracestate", "vendor=x".parse().unwrap());
    headers.insert("user-agent", "test/1".parse().unwrap());
    headers.insert("x-forwarded-for", "192.0.2.1, 10.0.0.1".parse().unwrap());
    headers.insert("x-forwarded-proto", "https".parse().unwrap());
    let peer: SocketAddr = "127.0.0.1:4000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = app(&telemetry).oneshot(request).await.unwrap();
    assert!(!response.headers().contains_key("traceresponse"));
    let body = response.into_body().collect().await.unwrap().to_bytes();

    let span = only(&collector).await;
    assert_eq!(span.name, "GET /items/{id}");
    assert_eq!(span.kind, Kind::Server);
    assert_eq!(
        span.trace_id.to_string(),
        "0af7651916cd43dd8448eb211c80319c"
    );
    assert_eq!(span.parent_span_id.unwrap().to_string(), "b7ad6b7169203331");
    assert_eq!(
        span.flags, 0x301,
        "sampled, and the parent is known to be remote"
    );
    assert_eq!(span.trace_state, "vendor=x");
    assert_eq!(
        body,
        span.span_id.to_string(),
        "the handler saw its own span"
    );
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/items/{id}"),
        ("url.scheme", "https"),
        ("url.path", "/items/7"),
        ("url.query", "a=1"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "test/1"),
        ("server.address", "shop.example"),
        ("client.address", "192.0.2.1"),
        ("network.peer.address", "127.0.0.1"),
    ] {
        assert_eq!(span.text(key), Some(value), "{key}");
    }
    for (key, value) in [
        ("http.response.status_code", 200),
        ("server.port", 8080),
        ("network.peer.port", 4000),
    ] {
        assert_eq!(span.number(key), Some(value), "{key}");
    }
    assert_eq!(span.text("error.type"), None);
    assert!(!span.is_error());
    assert!(
        context::current().is_none(),
        "nothing is left behind on the thread"
    );
}

#[tokio::test]
async fn without_a_caller_a_trace_begins() {
    let (telemetry, collector) = collected("items");
    let response = app(&telemetry).oneshot(request("/items/7")).await.unwrap();
    let told = response.headers()["traceresponse"].clone();
    drop(response);
    let span = only(&collector).await;
    assert_eq!(span.parent_span_id, None);
    assert!(span.trace_id.is_valid());
    // Nobody can know the trace otherwise. Its id is random, which the second flag says.
    assert_eq!(told, format!("00-{}-{}-03", span.trace_id, span.span_id));
}

#[tokio::test]
async fn a_caller_that_does_not_record_is_followed() {
    let (telemetry, collector) = collected("items");
    let mut request = request("/items/7");
    let unsampled = TRACEPARENT.replace("-01", "-00");
    request
        .headers_mut()
        .insert("traceparent", unsampled.parse().unwrap());
    let response = app(&telemetry).oneshot(request).await.unwrap();
    assert!(!response.headers().contains_key("traceresponse"));
    assert!(collector.spans().await.is_empty());
    assert_eq!(telemetry.counts().produced, 0);
}

#[tokio::test]
async fn answers_name_their_trace_as_they_are_told() {
    for (answer, recorded, unrecorded) in [
        (Traceresponse::SampledRoots, false, false),
        (Traceresponse::Sampled, true, false),
        (Traceresponse::Always, true, true),
        (Traceresponse::Never, false, false),
    ] {
        for (flags, expected) in [("-01", recorded), ("-00", unrecorded)] {
            let (telemetry, _collector) = collected("items");
            let app = Router::new()
                .route("/items", get(|| async {}))
                .layer(telemetry.server_layer().traceresponse(answer));
            let mut request = request("/items");
            let parent = TRACEPARENT.replace("-01", flags);
            request
                .headers_mut()
                .insert("traceparent", parent.parse().unwrap());
            let response = app.oneshot(request).await.unwrap();
            let value = response.headers().get("traceresponse");
            assert_eq!(value.is_some(), expected, "{answer:?} {flags}");
            if let Some(value) = value {
                let value = value.to_str().unwrap();
                assert!(value.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
                assert!(value.ends_with(flags));
            }
        }
    }
}

#[tokio::test]
async fn what_no_route_matches_has_none() {
    let (telemetry, collector) = collected("items");
    app(&telemetry)
        .oneshot(request("/nowhere/42"))
        .await
        .unwrap();
    let span = only(&collector).await;
    assert_eq!(span.name, "GET");
    assert_eq!(span.text("http.route"), None);
    assert_eq!(span.number("http.response.status_code"), Some(404));
    assert_eq!(
        span.text("error.type"),
        None,
        "a caller's mistake is no error of the server"
    );
    assert!(!span.is_error());
}

#[tokio::test]
async fn a_server_s_failure_is_an_error() {
    let (telemetry, collector) = collected("items");
    app(&telemetry).oneshot(request("/broken")).await.unwrap();
    let span = only(&collector).await;
    assert_eq!(span.text("error.type"), Some("500"));
    assert_eq!(span.status, Status::Error(String::new()));
}

#[tokio::test]
async fn unknown_methods_are_one() {
    let (telemetry, collector) = collected("items");
    let mut request = request("/any");
    *request.method_mut() = "EVIL1".parse().unwrap();
    app(&telemetry).oneshot(request).await.unwrap();
    let span = only(&collector).await;
    assert_eq!(span.name, "HTTP /any");
    assert_eq!(span.text("http.request.method"), Some("_OTHER"));
    assert_eq!(span.text("http.request.method_original"), Some("EVIL1"));
}

#[tokio::test]
async fn a_cancelled_request_is_recorded_once() {
    let (telemetry, collector) = collected("items");
    let mut pending = Box::pin(app(&telemetry).oneshot(request("/never")));
    assert!(pending.as_mut().now_or_never().is_none());
    assert!(collector.spans().await.is_empty());
    drop(pending);
    let span = only(&collector).await;
    assert_eq!(span.name, "GET /never");
    assert_eq!(span.text("error.type"), Some("cancelled"));
    assert_eq!(span.number("http.response.status_code"), None);
    assert!(span.is_error());
}

#[tokio::test]
async fn a_panic_is_recorded() {
    let (telemetry, collector) = collected("items");
    let task = tokio::spawn(app(&telemetry).oneshot(request("/panic")));
    assert!(task.await.unwrap_err().is_panic());
    let span = only(&collector).await;
    assert_eq!(span.text("error.type"), Some("panic"));
    assert!(context::current().is_none());
}

#[tokio::test]
async fn the_span_ends_with_the_body() {
    let (telemetry, collector) = collected("items");
    let response = app(&telemetry).oneshot(request("/stream")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    assert!(
        collector.spans().await.is_empty(),
        "the body is still going on"
    );
    drop(body);
    let span = only(&collector).await;
    assert_eq!(span.text("error.type"), Some("cancelled"));
    assert_eq!(span.number("http.response.status_code"), Some(200));
}

#[tokio::test]
async fn a_body_that_fails_is_an_error() {
    let (telemetry, collector) = collected("items");
    let response = app(&telemetry).oneshot(request("/fails")).await.unwrap();
    assert!(response.into_body().collect().await.is_err());
    let span = only(&collector).await;
    assert_eq!(span.text("error.type"), Some("body_error"));
    assert_eq!(span.number("http.response.status_code"), Some(200));
}

#[tokio::test]
async fn a_body_that_nobody_sends_is_not_cancelled() {
    let (telemetry, collector) = collected("items");
    let mut head = request("/items/7");
    *head.method_mut() = "HEAD".parse().unwrap();
    drop(app(&telemetry).oneshot(head).await.unwrap());
    let span = only(&collector).await;
    assert_eq!(span.name, "HEAD /items/{id}");
    assert_eq!(span.text("error.type"), None);
}

/// The whole way over a socket: hyper drops bodies that it knows to be complete.
#[tokio::test]
async fn over_a_connection_nothing_counts_as_cancelled() {
    let (telemetry, collector) = collected("items");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app(&telemetry);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = reqwest::Client::new();
    for (method, path) in [
        ("GET", "/items/7"),
        ("HEAD", "/items/7"),
        ("POST", "/any"),
        ("GET", "/nowhere"),
    ] {
        let method = method.parse().unwrap();
        let response = client
            .request(method, format!("http://{address}{path}"))
            .send()
            .await;
        response.unwrap().bytes().await.unwrap();
    }
    let spans = collector.wait_for(|spans| spans.len() == 4).await;
    for span in spans {
        assert_eq!(span.text("error.type"), None, "{}", span.name);
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels() {
    let (telemetry, collector) = collected("items");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app(&telemetry);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut response = reqwest::get(format!("http://{address}/stream"))
        .await
        .unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "first");
    drop(response);
    let hang_up = tokio::time::timeout(
        Duration::from_secs(10),
        reqwest::Client::new()
            .get(format!("http://{address}/items/7"))
            .send(),
    );
    hang_up.await.unwrap().unwrap();
    let spans = collector.wait_for(|spans| spans.len() == 2).await;
    let torn = spans
        .iter()
        .find(|span| span.name == "GET /stream")
        .unwrap();
    assert_eq!(torn.text("error.type"), Some("cancelled"));
}

#[tokio::test]
async fn spans_outlive_the_service_that_made_them() {
    let (telemetry, collector) = collected("items");
    app(&telemetry).oneshot(request("/items/7")).await.unwrap();
    drop(telemetry);
    assert_eq!(only(&collector).await.service(), "items");
}

//! Label sets are closed: whatever clients write, the series stay the same.

use crate::collected;
use crate::exposition::{Labels, parse};
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use std::collections::BTreeSet;
use telemetry::Telemetry;
use telemetry::http::{ClientRequest, ServerRequest, Trust};

const REQUESTS: usize = 100_000;

fn series(telemetry: &Telemetry) -> BTreeSet<(String, Labels)> {
    let page = telemetry.metrics_page(Some("application/openmetrics-text"));
    parse(&page.body, true).series()
}

fn count(telemetry: &Telemetry, name: &str) -> f64 {
    let page = telemetry.metrics_page(Some("application/openmetrics-text"));
    let page = parse(&page.body, true);
    page.named(name).iter().map(|sample| sample.value).sum()
}

/// A request in which all that a client can choose is a value that never was before.
fn hostile(number: usize) -> Request<Body> {
    let name = format!("X{number}X");
    let path = match number % 3 {
        0 => format!("/items/{name}?{name}={name}"),
        1 => format!("/{name}"),
        _ => format!("http://{name}.example:{}/{name}", number % 60_000 + 1),
    };
    let version = [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2][number % 3];
    Request::builder()
        .method(Method::from_bytes(name.as_bytes()).unwrap())
        .uri(path)
        .version(version)
        .header("host", format!("{name}.example"))
        .header("x-forwarded-host", format!("{name}.example"))
        .header("x-forwarded-proto", &name)
        .header("forwarded", format!("host={name};proto={name};for={name}"))
        .header("user-agent", &name)
        .header("baggage", format!("{name}={name}"))
        .body(Body::empty())
        .unwrap()
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_hundred_thousand_requests_add_no_series_to_a_router() {
    use axum::{Router, routing::get};
    use tower::ServiceExt;

    let (telemetry, _collector) = collected("shop");
    let app = Router::new()
        .route("/items/{id}", get(|| async { "an item" }))
        .layer(telemetry.server_layer());
    let call = |number| {
        let answer = app.clone().oneshot(hostile(number));
        async move { drop(answer.await.unwrap()) }
    };
    // Once each way that there is.
    for number in 0..6 {
        call(number).await;
    }
    let before = series(&telemetry);
    for number in 6..REQUESTS {
        call(number).await;
    }
    assert_eq!(series(&telemetry), before);
    let counted = count(&telemetry, "http_server_request_duration_seconds_count");
    assert!((counted - REQUESTS as f64).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_hundred_thousand_requests_add_no_series_to_a_gateway() {
    let (telemetry, _collector) = collected("gateway");
    let edge = telemetry.edge();
    let call = |number| {
        let (head, _) = hostile(number).into_parts();
        let mut span = edge.start(&ServerRequest {
            method: &head.method,
            uri: &head.uri,
            version: head.version,
            headers: &head.headers,
            peer: None,
            scheme: "http",
            route: None,
            trust: Trust::Link,
        });
        if number % 3 == 0 {
            span.set_route("/items/{id}");
        }
        span.status(StatusCode::NOT_FOUND);
        span.finish();
    };
    (0..6).for_each(call);
    let before = series(&telemetry);
    (6..REQUESTS).for_each(call);
    assert_eq!(series(&telemetry), before);
    let counted = count(&telemetry, "http_server_request_duration_seconds_count");
    assert!((counted - REQUESTS as f64).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_hundred_thousand_servers_share_the_series_of_a_few() {
    let (telemetry, _collector) = collected("crawler");
    let edge = telemetry.edge();
    let call = |number: usize| {
        let method = Method::from_bytes(format!("X{number}X").as_bytes()).unwrap();
        let address = format!("host-{number}.example");
        let uri = Uri::try_from(format!("http://{address}/{number}")).unwrap();
        let span = edge.client(&ClientRequest {
            method: &method,
            server_address: &address,
            server_port: (number % 60_000) as u16 + 1,
            uri: &uri,
            resend_count: 0,
        });
        span.inject(&mut HeaderMap::new());
        span.finish(Ok(StatusCode::OK));
    };
    (0..200).for_each(call);
    let before = series(&telemetry);
    (200..REQUESTS).for_each(call);
    assert_eq!(series(&telemetry), before);
    let name = "http_client_request_duration_seconds_count";
    assert!(before.iter().filter(|(known, _)| known == name).count() <= 129);
    let counted = count(&telemetry, name);
    assert!((counted - REQUESTS as f64).abs() < f64::EPSILON);
}

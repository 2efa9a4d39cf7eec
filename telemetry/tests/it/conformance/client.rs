//! What a client says about a request.

use super::{Probe, pairs, router, serve};
use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use telemetry::http::{ResendCount, UrlTemplate};
use telemetry::testing::{Kind, Status};
use tokio::net::TcpListener;

const DURATION: &str = "http.client.request.duration";

/// The service that is called, without telemetry.
async fn called() -> SocketAddr {
    let redirecting = Router::new()
        .route("/moved", get(move || async move { Redirect::to("/here") }))
        .route("/here", get(|| async { "here" }));
    serve(redirecting.merge(router(&Arc::default()))).await
}

#[tokio::test]
async fn one_attempt_is_one_span_with_all_that_is_required() {
    let probe = Probe::new().await;
    let address = called().await;
    let client = probe.telemetry.client(reqwest::Client::new());
    let url = format!("http://{address}/users/7?q=1&sig=SECRET");
    client.get(url).send().await.unwrap();
    let span = probe.span().await;
    assert_eq!((&*span.name, span.kind), ("GET", Kind::Client));
    assert_eq!(span.status, Status::Unset);
    let port = i64::from(address.port());
    let full = format!("http://{address}/users/7?q=1&sig=REDACTED");
    for (key, value) in [
        ("http.request.method", "GET"),
        ("url.full", &*full),
        ("server.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("network.peer.address", "127.0.0.1"),
    ] {
        assert_eq!(span.text(key), Some(value), "{key}");
    }
    for (key, value) in [
        ("server.port", port),
        ("network.peer.port", port),
        ("http.response.status_code", 200),
    ] {
        assert_eq!(span.number(key), Some(value), "{key}");
    }
    assert_eq!(span.attributes.len(), 8, "{:#?}", span.attributes);
    let port = format!("int {port}");
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "int 200"),
        ("network.protocol.version", "1.1"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
    ];
    assert_eq!(probe.labels(DURATION).await, pairs(&expected));
}

#[tokio::test]
async fn a_template_makes_the_name() {
    let probe = Probe::new().await;
    let address = called().await;
    let client = probe.telemetry.client(reqwest::Client::new());
    let request = client.get(format!("http://{address}/users/7"));
    let request = request.with_extension(UrlTemplate("/users/{id}"));
    request.send().await.unwrap();
    let span = probe.span().await;
    assert_eq!(span.name, "GET /users/{id}");
    assert_eq!(span.text("url.template"), Some("/users/{id}"));
    assert!(!probe.labels(DURATION).await.contains_key("url.template"));
}

#[tokio::test]
async fn unknown_methods_are_one() {
    let probe = Probe::new().await;
    let address = called().await;
    let client = probe.telemetry.client(reqwest::Client::new());
    let method = "EVIL1".parse().unwrap();
    let request = client.request(method, format!("http://{address}/users/7"));
    request.send().await.unwrap();
    let span = probe.span().await;
    assert_eq!(span.name, "HTTP");
    assert_eq!(span.text("http.request.method"), Some("_OTHER"));
    assert_eq!(span.text("http.request.method_original"), Some("EVIL1"));
    assert_eq!(
        probe.labels(DURATION).await["http.request.method"],
        "_OTHER"
    );
}

#[tokio::test]
async fn every_status_from_400_on_is_an_error() {
    for code in [204, 304, 400, 404, 500] {
        let probe = Probe::new().await;
        let address = called().await;
        let client = probe.telemetry.client(reqwest::Client::new());
        let url = format!("http://{address}/status/{code}");
        client.get(url).send().await.unwrap();
        let span = probe.span().await;
        let text = code.to_string();
        let error = (code >= 400).then_some(&*text);
        assert_eq!(span.text("error.type"), error, "{code}");
        let status = match error {
            Some(_) => Status::Error(String::new()),
            None => Status::Unset,
        };
        assert_eq!(span.status, status, "{code}");
        let labels = probe.labels(DURATION).await;
        assert_eq!(labels.get("error.type").map(String::as_str), error);
    }
}

/// The conventions' example of retries: three spans, of which the first has no count.
#[tokio::test]
async fn attempts_are_counted_from_the_second_on() {
    let probe = Probe::new().await;
    let address = called().await;
    let client = probe.telemetry.client(reqwest::Client::new());
    for attempt in 0..3 {
        let request = client.get(format!("http://{address}/status/503"));
        let request = request.with_extension(ResendCount(attempt));
        request.send().await.unwrap();
    }
    let spans = probe.collector.spans().await;
    let counts: Vec<_> = spans
        .iter()
        .map(|span| span.number("http.request.resend_count"))
        .collect();
    assert_eq!(counts, [None, Some(1), Some(2)]);
}

/// What reqwest does on its own is one span, with the URL that was asked for.
#[tokio::test]
async fn redirects_that_are_followed_beneath_are_one_span() {
    let probe = Probe::new().await;
    let address = called().await;
    let client = probe.telemetry.client(reqwest::Client::new());
    let url = format!("http://{address}/moved");
    client.get(&url).send().await.unwrap();
    let span = probe.span().await;
    assert_eq!(span.text("url.full"), Some(&*url));
    assert_eq!(span.number("http.response.status_code"), Some(200));
}

/// Where redirects are followed above, each is a span, as in the conventions' example.
#[tokio::test]
async fn redirects_that_are_followed_above_are_a_span_each() {
    let probe = Probe::new().await;
    let address = called().await;
    let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = probe.telemetry.client(plain.build().unwrap());
    let first = client.get(format!("http://{address}/moved")).send().await;
    let to = first.unwrap().headers()["location"]
        .to_str()
        .unwrap()
        .to_owned();
    let second = client.get(format!("http://{address}{to}"));
    let second = second.with_extension(ResendCount(1)).send().await;
    assert_eq!(second.unwrap().text().await.unwrap(), "here");
    let spans = probe.collector.spans().await;
    let seen: Vec<_> = spans
        .iter()
        .map(|span| {
            let status = span.number("http.response.status_code").unwrap();
            (status, span.number("http.request.resend_count"))
        })
        .collect();
    assert_eq!(seen, [(303, None), (200, Some(1))]);
}

#[tokio::test]
async fn failures_have_a_name_and_no_status() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap();
    let dead = crate::nobody();
    let wait = std::time::Duration::from_millis(50);
    for (error, to, own_timeout) in [
        ("connection_refused", dead, None),
        ("timeout", silent, Some(wait)),
        ("cancelled", silent, None),
    ] {
        let probe = Probe::new().await;
        let client = probe.telemetry.client(reqwest::Client::new());
        let mut request = client.get(format!("http://{to}/"));
        if let Some(timeout) = own_timeout {
            request = request.timeout(timeout);
        }
        if error == "cancelled" {
            assert!(tokio::time::timeout(wait, request.send()).await.is_err());
        } else {
            assert!(request.send().await.is_err());
        }
        let span = probe.span().await;
        assert_eq!(span.text("error.type"), Some(error));
        assert_eq!(span.status, Status::Error(String::new()));
        assert_eq!(span.number("http.response.status_code"), None);
        assert_eq!(
            span.text("network.protocol.version"),
            None,
            "it is not known"
        );
        assert_eq!(span.number("server.port"), Some(i64::from(to.port())));
        let labels = probe.labels(DURATION).await;
        assert_eq!(labels["error.type"], error);
        assert!(!labels.contains_key("http.response.status_code"));
    }
}

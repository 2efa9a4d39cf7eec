//! What an operator may choose.

use super::Probe;
use std::net::SocketAddr;
use telemetry::testing::{Collector, Value};
use telemetry::{InitError, Service, Settings, Telemetry};

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn texts(texts: &[&str]) -> Value {
    Value::Array(texts.iter().map(|text| Value::from(*text)).collect())
}

#[tokio::test]
async fn a_list_of_methods_replaces_the_default_one() {
    let methods = |name: &str| {
        (name == "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS").then(|| "GET, PURGE,link".to_owned())
    };
    let known = Settings::from_vars(methods).unwrap().known_methods;
    for (method, recorded, name) in [
        ("PURGE", "PURGE", "PURGE /users/{id}"),
        ("link", "link", "link /users/{id}"),
        ("GET", "GET", "GET /users/{id}"),
        ("LINK", "_OTHER", "HTTP /users/{id}"),
        ("POST", "_OTHER", "HTTP /users/{id}"),
    ] {
        let probe = Probe::with(|settings| settings.known_methods.clone_from(&known)).await;
        probe
            .send(&format!("{method} /users/7 HTTP/1.1\r\nhost: a"))
            .await;
        let span = probe.span().await;
        assert_eq!(span.name, name);
        assert_eq!(span.text("http.request.method"), Some(recorded));
        let original = (recorded == "_OTHER").then_some(method);
        assert_eq!(span.text("http.request.method_original"), original);
        assert_eq!(probe.served().await["http.request.method"], recorded);
    }
}

#[test]
fn choices_that_cannot_be_are_refused_with_a_word_on_what_to_do() {
    let refused = |choose: fn(&mut Settings)| {
        let mut settings = Settings::default();
        choose(&mut settings);
        let refused = Telemetry::builder(Service::new("probe", "0"))
            .settings(settings)
            .exporter(Collector::new().exporter())
            .without_subscriber()
            .build();
        match refused {
            Err(InitError::Http(refused)) => refused.to_string(),
            other => panic!("not refused: {other:?}"),
        }
    };
    let message = refused(|settings| settings.known_methods = Some(list(&["GET;POST"])));
    assert!(message.contains("\"GET;POST\"") && message.contains("such as GET,PURGE"));
    let message = refused(|settings| {
        settings.known_methods = Some((0..32).map(|n| format!("M{n}")).collect());
    });
    assert!(message.contains("32 known methods"), "{message}");
    for choose in [
        (|settings| settings.capture_request_headers = list(&["a b"])) as fn(&mut Settings),
        |settings| settings.capture_response_headers = list(&["a b"]),
    ] {
        assert!(refused(choose).contains("\"a b\""));
    }
}

#[tokio::test]
async fn a_server_records_the_headers_that_are_named_and_no_others() {
    let probe = Probe::with(|settings| {
        settings.capture_request_headers = list(&["X-Tenant", "cookie", "x-missing"]);
        settings.capture_response_headers = list(&["content-type"]);
    })
    .await;
    probe
        .send(
            "GET /users/7 HTTP/1.1\r\nhost: a\r\nx-tenant: one\r\nx-tenant: two, three\r\n\
             cookie: a=b\r\nauthorization: SECRET",
        )
        .await;
    let span = probe.span().await;
    let recorded: Vec<_> = span
        .attributes
        .iter()
        .filter(|(key, _)| key.contains(".header."))
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    let expected = [
        ("http.request.header.cookie", texts(&["a=b"])),
        (
            "http.request.header.x-tenant",
            texts(&["one", "two, three"]),
        ),
        (
            "http.response.header.content-type",
            texts(&["text/plain; charset=utf-8"]),
        ),
    ];
    assert_eq!(recorded, expected);
}

#[tokio::test]
async fn a_client_records_the_headers_that_are_named_and_no_others() {
    let probe = Probe::with(|settings| {
        settings.capture_request_headers = list(&["x-tenant"]);
        settings.capture_response_headers = list(&["content-type"]);
    })
    .await;
    let other = other_service().await;
    let client = probe.telemetry.client(reqwest::Client::new());
    let request = client.get(format!("http://{other}/users/7"));
    let request = request.header("x-tenant", "one").bearer_auth("SECRET");
    request.send().await.unwrap();
    let span = probe.span().await;
    assert_eq!(
        span.attributes["http.request.header.x-tenant"],
        texts(&["one"])
    );
    let content_type = &span.attributes["http.response.header.content-type"];
    assert_eq!(*content_type, texts(&["text/plain; charset=utf-8"]));
    assert!(
        !span
            .attributes
            .contains_key("http.request.header.authorization")
    );
}

/// One whose telemetry goes elsewhere.
async fn other_service() -> SocketAddr {
    Probe::new().await.address
}

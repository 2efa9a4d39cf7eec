//! What a server says about a request.

use super::{Probe, attributes, pairs};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use telemetry::testing::{Kind, Span, Status, Value};
use tokio::net::TcpStream;
use tower::ServiceExt;

const USER: &str = "GET /users/7 HTTP/1.1\r\nhost: shop.example:8080";

/// One request by HTTP/2, with an `:authority`.
async fn by_http2(probe: &Probe, uri: &str) {
    let connection = TcpStream::connect(probe.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(connection))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::get(uri).body(Empty::<&[u8]>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    answer.into_body().collect().await.unwrap();
}

fn keys(span: &Span) -> Vec<&str> {
    span.attributes.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_name_is_method_and_route() {
    let probe = Probe::new().await;
    probe.send(USER).await;
    let span = probe.span().await;
    assert_eq!((&*span.name, span.kind), ("GET /users/{id}", Kind::Server));
}

#[tokio::test]
async fn an_unknown_method_is_http_in_the_name_and_other_in_attributes_and_labels() {
    let probe = Probe::new().await;
    probe.send("EVIL1 /users/7 HTTP/1.1\r\nhost: a").await;
    let span = probe.span().await;
    assert_eq!(span.name, "HTTP /users/{id}");
    assert_eq!(span.text("http.request.method"), Some("_OTHER"));
    assert_eq!(span.text("http.request.method_original"), Some("EVIL1"));
    assert_eq!(probe.served().await["http.request.method"], "_OTHER");
}

#[tokio::test]
async fn methods_are_known_by_their_exact_letters() {
    for (method, known) in [("QUERY", true), ("PATCH", true), ("get", false)] {
        let span = Probe::asked(&format!("{method} /users/7 HTTP/1.1\r\nhost: a")).await;
        let (recorded, original) = if known {
            (method, None)
        } else {
            ("_OTHER", Some(method))
        };
        assert_eq!(span.text("http.request.method"), Some(recorded));
        assert_eq!(span.text("http.request.method_original"), original);
    }
}

#[tokio::test]
async fn the_scheme_is_the_one_that_the_client_used() {
    for (header, scheme) in [
        ("accept: */*", "http"),
        ("forwarded: for=192.0.2.1;proto=https", "https"),
        ("x-forwarded-proto: https", "https"),
    ] {
        let probe = Probe::new().await;
        probe.send(&format!("{USER}\r\n{header}")).await;
        assert_eq!(probe.span().await.text("url.scheme"), Some(scheme));
        assert_eq!(probe.served().await["url.scheme"], scheme);
    }
}

#[tokio::test]
async fn the_server_is_the_one_that_the_client_named() {
    for (head, address, port) in [
        (
            "/users/7 HTTP/1.1\r\nhost: a.example:8080",
            "a.example",
            8080,
        ),
        ("/users/7 HTTP/1.1\r\nhost: a.example", "a.example", 80),
        ("/users/7 HTTP/1.1\r\nhost: [::1]:81", "::1", 81),
        (
            "http://b.example:82/users/7 HTTP/1.1\r\nhost: a.example",
            "b.example",
            82,
        ),
        (
            "/users/7 HTTP/1.1\r\nhost: a.example\r\nx-forwarded-host: c.example:83",
            "c.example",
            83,
        ),
        (
            "/users/7 HTTP/1.1\r\nhost: a.example\r\nforwarded: host=\"d.example:84\";proto=https",
            "d.example",
            84,
        ),
        (
            "/users/7 HTTP/1.1\r\nhost: a.example\r\nx-forwarded-proto: https",
            "a.example",
            443,
        ),
    ] {
        let span = Probe::asked(&format!("GET {head}")).await;
        assert_eq!(span.text("server.address"), Some(address), "{head}");
        assert_eq!(span.number("server.port"), Some(port), "{head}");
    }
}

#[tokio::test]
async fn the_authority_of_http_2_names_the_server() {
    let probe = Probe::new().await;
    by_http2(&probe, "http://e.example:85/users/7").await;
    let span = probe.span().await;
    assert_eq!(span.text("server.address"), Some("e.example"));
    assert_eq!(span.number("server.port"), Some(85));
}

#[tokio::test]
async fn a_request_that_names_no_server_has_none() {
    let span = Probe::asked("GET /users/7 HTTP/1.0").await;
    assert_eq!(span.text("server.address"), None);
    assert_eq!(span.number("server.port"), None);
    assert_eq!(span.text("network.protocol.version"), Some("1.0"));
}

#[tokio::test]
async fn the_client_is_the_first_before_all_proxies_and_the_peer_the_last() {
    for (header, client) in [
        ("accept: */*", "127.0.0.1"),
        ("x-forwarded-for: 192.0.2.1, 10.0.0.1", "192.0.2.1"),
        (
            "forwarded: for=\"[2001:db8::1]:4711\", for=10.0.0.1",
            "2001:db8::1",
        ),
    ] {
        let span = Probe::asked(&format!("{USER}\r\n{header}")).await;
        assert_eq!(span.text("client.address"), Some(client));
        assert_eq!(span.text("network.peer.address"), Some("127.0.0.1"));
        assert!(span.number("network.peer.port").unwrap() > 0);
    }
}

#[tokio::test]
async fn the_protocol_s_version_is_short_and_its_name_left_out() {
    let probe = Probe::new().await;
    by_http2(&probe, "http://a/users/7").await;
    let span = probe.span().await;
    assert_eq!(span.text("network.protocol.version"), Some("2"));
    assert_eq!(span.text("network.protocol.name"), None);
    assert_eq!(probe.served().await["network.protocol.version"], "2");
}

#[tokio::test]
async fn what_no_route_matches_has_none() {
    let probe = Probe::new().await;
    probe.send("GET /nowhere/7 HTTP/1.1\r\nhost: a").await;
    let span = probe.span().await;
    assert_eq!(span.name, "GET");
    assert_eq!(span.text("http.route"), None);
    assert!(!probe.served().await.contains_key("http.route"));
}

#[tokio::test]
async fn a_nested_route_is_whole() {
    let probe = Probe::new().await;
    probe.send("GET /shop/orders/7 HTTP/1.1\r\nhost: a").await;
    let route = "/shop/orders/{id}";
    assert_eq!(probe.span().await.text("http.route"), Some(route));
    assert_eq!(probe.served().await["http.route"], route);
}

/// The layer within the nested router, and a router that is nested as any service is.
#[tokio::test]
async fn a_route_is_whole_from_within_a_nested_router() {
    let probe = Probe::new().await;
    let inner = || {
        Router::new()
            .route("/orders/{id}", get(|| async {}))
            .layer(probe.telemetry.server_layer())
    };
    let outer = Router::new()
        .nest("/one", inner())
        .nest_service("/two", inner());
    for path in ["/one/orders/7", "/two/orders/7"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = outer.clone().oneshot(request).await.unwrap();
        answer.into_body().collect().await.unwrap();
    }
    let spans = probe.collector.wait_for(|spans| spans.len() == 2).await;
    let routes: Vec<_> = spans.iter().map(|span| span.text("http.route")).collect();
    assert_eq!(routes, [Some("/one/orders/{id}"), Some("/two/orders/{id}")]);
}

#[tokio::test]
async fn only_a_server_s_own_failures_are_errors_and_none_is_described() {
    for code in [101, 204, 302, 404, 429, 500, 503, 599] {
        let probe = Probe::new().await;
        probe
            .send(&format!("GET /status/{code} HTTP/1.1\r\nhost: a"))
            .await;
        let span = probe.span().await;
        let text = code.to_string();
        let error = (code >= 500).then_some(&*text);
        assert_eq!(span.text("error.type"), error, "{code}");
        let status = match error {
            Some(_) => Status::Error(String::new()),
            None => Status::Unset,
        };
        assert_eq!(span.status, status, "{code}");
        let labels = probe.served().await;
        assert_eq!(labels.get("error.type").map(String::as_str), error);
    }
}

#[tokio::test]
async fn status_codes_are_numbers() {
    let probe = Probe::new().await;
    probe.send(USER).await;
    let status = probe.span().await.number("http.response.status_code");
    assert_eq!(status, Some(200));
    assert_eq!(probe.served().await["http.response.status_code"], "int 200");
}

#[tokio::test]
async fn queries_keep_their_keys_and_lose_their_secrets() {
    for (query, recorded) in [
        ("q=OpenTelemetry", "q=OpenTelemetry"),
        ("q=1&sig=SECRET", "q=1&sig=REDACTED"),
        (
            "X-Amz-Signature=a&X-Amz-Credential=b",
            "X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED",
        ),
        (
            "X-Amz-Security-Token=a&b",
            "X-Amz-Security-Token=REDACTED&b",
        ),
        (
            "AWSAccessKeyId=a&Signature=b",
            "AWSAccessKeyId=REDACTED&Signature=REDACTED",
        ),
        ("X-Goog-Signature=a", "X-Goog-Signature=REDACTED"),
        ("SIG=kept&signature=kept", "SIG=kept&signature=kept"),
    ] {
        let span = Probe::asked(&format!("GET /users/7?{query} HTTP/1.1\r\nhost: a")).await;
        assert_eq!(span.text("url.query"), Some(recorded));
        assert_eq!(span.text("url.path"), Some("/users/7"));
    }
}

/// No header but the one that the convention has a name for, and nothing about this crate's code,
/// threads or the time that it took.
#[tokio::test]
async fn nothing_is_recorded_that_nobody_asked_for() {
    let probe = Probe::new().await;
    probe
        .send(&format!(
            "{USER}\r\nuser-agent: test/1\r\nauthorization: Bearer SECRET\r\ncookie: id=SECRET\r\n\
             x-any: SECRET\r\naccept: */*"
        ))
        .await;
    let span = probe.span().await;
    let expected = [
        "client.address",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "network.peer.address",
        "network.peer.port",
        "network.protocol.version",
        "server.address",
        "server.port",
        "url.path",
        "url.scheme",
        "user_agent.original",
    ];
    assert_eq!(keys(&span), expected);
    assert_eq!(
        span.attributes["user_agent.original"],
        Value::from("test/1")
    );
    assert!(span.events.is_empty());
    let labels = probe.served().await;
    let expected = [
        ("http.request.method", "GET"),
        ("http.response.status_code", "int 200"),
        ("http.route", "/users/{id}"),
        ("network.protocol.version", "1.1"),
        ("url.scheme", "http"),
    ];
    assert_eq!(labels, pairs(&expected));
}

/// `network.protocol.version` and others are closed sets; what a client chooses is in no label.
#[tokio::test]
async fn a_client_s_own_words_are_in_no_label() {
    let probe = Probe::new().await;
    for n in 0..20 {
        probe
            .send(&format!(
                "MINT{n} /users/{n}?q={n} HTTP/1.1\r\nhost: minted{n}.example"
            ))
            .await;
    }
    probe.collector.wait_for(|spans| spans.len() == 20).await;
    let points = probe.points("http.server.request.duration").await;
    assert_eq!(points.len(), 1, "{points:#?}");
    assert_eq!(
        attributes(&points[0].attributes)["http.request.method"],
        "_OTHER"
    );
    assert_eq!(points[0].count, 20);
}

#[tokio::test]
async fn durations_are_in_seconds_in_the_advised_buckets() {
    let probe = Probe::new().await;
    probe.send(USER).await;
    let span = probe.span().await;
    let points = probe.points("http.server.request.duration").await;
    let advised = [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ];
    assert_eq!(points[0].explicit_bounds, advised);
    let (sum, own) = (points[0].sum.unwrap(), span.duration().as_secs_f64());
    assert!(
        (sum - own).abs() < 1e-6,
        "the span's own duration: {sum} {own}"
    );
}

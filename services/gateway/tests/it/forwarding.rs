//! What services see of a request, and clients of an answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use crate::behind::Behind;
use crate::town::street;

/// Answers with what it was asked.
async fn echo(request: Request<Body>) -> impl IntoResponse {
    let (head, body) = request.into_parts();
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), value.to_str().unwrap()]))
        .collect();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    axum::Json(json!({
        "method": head.method.as_str(),
        "uri": head.uri.to_string(),
        "headers": headers,
        "body": String::from_utf8(body.to_vec()).unwrap(),
    }))
}

fn header<'a>(seen: &'a Value, name: &str) -> Option<&'a str> {
    let headers = seen["headers"].as_array().unwrap();
    let line = headers.iter().find(|line| line[0] == name)?;
    line[1].as_str()
}

#[tokio::test]
async fn services_see_the_request_and_what_the_city_says_of_it() {
    let behind = Behind::router(Router::new().fallback(echo));
    let street = street(json!({}), &[behind.address]).await;
    let mut client = street.client().await;
    let seen = client
        .say(
            "POST /open?b=1&a=%20 HTTP/1.1\r\nHost: shop.example:81\r\n\
             Connection: keep-alive, X-Drop\r\nX-Drop: 1\r\nKeep-Alive: timeout=5\r\n\
             Proxy-Authorization: Basic x\r\nUpgrade: h2c\r\nTE: gzip\r\n\
             Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\
             X-Real-IP: 6.6.6.6\r\nCitywatch-Timeout-Ms: 99999999\r\nCitywatch-Member: admin\r\n\
             Baggage: user=admin\r\nX-Mine: kept\r\nCookie: a=1\r\nContent-Length: 5\r\n\r\nhello",
        )
        .await;
    assert_eq!(seen.status, 200);
    let seen = seen.json();
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["uri"], "/open?b=1&a=%20");
    assert_eq!(seen["body"], "hello");
    for (name, wanted) in [
        ("host", Some("shop.example:81")),
        ("x-mine", Some("kept")),
        ("cookie", Some("a=1")),
        ("content-length", Some("5")),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-host", Some("shop.example:81")),
        ("via", Some("1.1 citywatch")),
        ("connection", None),
        ("x-drop", None),
        ("keep-alive", None),
        ("proxy-authorization", None),
        ("upgrade", None),
        ("te", None),
        ("forwarded", None),
        ("x-real-ip", None),
        ("citywatch-member", None),
        ("baggage", None),
    ] {
        assert_eq!(header(&seen, name), wanted, "{name}");
    }
    let budget = |seen: &Value| -> u64 {
        let header = header(seen, "citywatch-timeout-ms").unwrap();
        header.parse().unwrap()
    };
    // a short body takes no time of its own, nor does none: the budget is the route's
    assert!((1..=5_000).contains(&budget(&seen)), "{seen}");
    let seen = client
        .say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n")
        .await
        .json();
    assert!((1..=5_000).contains(&budget(&seen)), "{seen}");
    // a body of unknown length may take all the time that bodies have
    let seen = client
        .say("POST /open HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        .await
        .json();
    assert!((5_001..=130_000).contains(&budget(&seen)), "{seen}");
}

#[tokio::test]
async fn a_trusted_peer_is_believed() {
    let behind = Behind::router(Router::new().fallback(echo));
    let street = street(json!({"trusted_peers": ["127.0.0.0/8"]}), &[behind.address]).await;
    let seen = street
        .client()
        .await
        .say(
            "GET /open HTTP/1.1\r\nhost: t\r\nx-forwarded-for: 6.6.6.6, 203.0.113.9\r\n\
             x-forwarded-proto: https\r\nx-forwarded-host: shop.example\r\n\r\n",
        )
        .await
        .json();
    assert_eq!(
        header(&seen, "x-forwarded-for"),
        Some("6.6.6.6, 203.0.113.9, 127.0.0.1")
    );
    assert_eq!(header(&seen, "x-forwarded-proto"), Some("https"));
    assert_eq!(header(&seen, "x-forwarded-host"), Some("shop.example"));
}

#[tokio::test]
async fn answers_come_back_without_what_is_between_us_and_the_service() {
    let answer = async || {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "x-secret"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("citywatch-inner", "1"),
            ("x-mine", "kept"),
            ("traceresponse", "00-forged"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        headers.append("set-cookie", "a=1".parse().unwrap());
        headers.append("set-cookie", "b=2".parse().unwrap());
        (StatusCode::IM_A_TEAPOT, headers, "tea")
    };
    let behind = Behind::router(Router::new().fallback(answer));
    let street = street(json!({}), &[behind.address]).await;
    let answer = street
        .client()
        .await
        .say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n")
        .await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (418, b"tea".as_slice())
    );
    assert_eq!(answer.header("x-mine"), Some("kept"));
    let cookies = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .count();
    assert_eq!(cookies, 2);
    for gone in ["x-secret", "keep-alive", "citywatch-inner", "connection"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    let trace = answer.header("traceresponse").unwrap();
    assert!(trace.starts_with("00-") && trace.len() == 55, "{trace}");
}

#[tokio::test]
async fn one_connection_carries_many_requests_of_every_kind() {
    let router = Router::new()
        .route("/known", get(async || "known"))
        .route("/open", post(async |body: Bytes| body).get(async || ()))
        .fallback(async || StatusCode::NO_CONTENT);
    let behind = Behind::router(router);
    let street = street(json!({}), &[behind.address]).await;
    let mut client = street.client().await;
    for round in 0..20 {
        let answer = client.say("GET /known HTTP/1.1\r\nhost: t\r\n\r\n").await;
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, b"known".as_slice())
        );
        client.send("HEAD /known HTTP/1.1\r\nhost: t\r\n\r\n").await;
        assert_eq!(client.head().await, (200, Some("5".to_owned())));
        // a refusal of HEAD names the length of the problem and does not send it
        client
            .send("HEAD /nowhere HTTP/1.1\r\nhost: t\r\n\r\n")
            .await;
        assert_eq!(client.head().await.0, 404);
        let chunked = "POST /open HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n\
            3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\ntrailer: x\r\n\r\n";
        assert_eq!(client.say(chunked).await.body, b"abcdefg", "round {round}");
        let answer = client.say("GET /open/1 HTTP/1.1\r\nhost: t\r\n\r\n").await;
        assert_eq!(
            (answer.status, answer.header("content-length")),
            (204, None)
        );
        let answer = client
            .say("DELETE /known HTTP/1.1\r\nhost: t\r\n\r\n")
            .await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
        let answer = client
            .say("OPTIONS /known HTTP/1.1\r\nhost: t\r\n\r\n")
            .await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (204, Some("GET, HEAD, OPTIONS"))
        );
        let answer = client.say("OPTIONS * HTTP/1.1\r\nhost: t\r\n\r\n").await;
        assert_eq!(answer.status, 204);
        let answer = client
            .say("GET http://t/known HTTP/1.1\r\nhost: t\r\n\r\n")
            .await;
        assert_eq!(answer.status, 200);
        let waits =
            "POST /open HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nok";
        assert_eq!(client.say(waits).await.body, b"ok");
    }
    // all of this went over one connection to the service
    assert!(street.metric("citywatch_gateway_connections ").await >= 1.0);
    testing::eventually("the kept connection is counted", || async {
        let idle = "citywatch_gateway_upstream_connections{state=\"idle\"}";
        (street.metric(idle).await > 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let behind = Behind::router(
        Router::new().fallback(async |request: Request<Body>| request.uri().to_string()),
    );
    let street = street(json!({}), &[behind.address]).await;
    let mut client = street.client().await;
    let requests: String = (0..50)
        .map(|n| format!("GET /open/{n} HTTP/1.1\r\nhost: t\r\n\r\n"))
        .collect();
    client.send(requests).await;
    for n in 0..50 {
        assert_eq!(
            client.answer().await.body,
            format!("/open/{n}").into_bytes()
        );
    }
}

#[tokio::test]
async fn old_clients_are_served_and_closed() {
    let behind = Behind::router(Router::new().fallback(async || "old"));
    let street = street(json!({}), &[behind.address]).await;
    let mut client = street.client().await;
    let answer = client.say("GET /open HTTP/1.0\r\n\r\n").await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, b"old".as_slice())
    );
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn bodies_stream_both_ways_without_being_held_back() {
    let (said, mut heard) = mpsc::channel::<Bytes>(10);
    let router = Router::new()
        .route(
            "/open",
            post(async move |body: Body| {
                let mut body = body.into_data_stream();
                while let Some(Ok(chunk)) = body.next().await {
                    said.send(chunk).await.unwrap();
                }
            }),
        )
        .route(
            "/known",
            get(async || {
                let chunks = stream::unfold(0, async |n| {
                    if n > 0 {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    (n < 5).then(|| (Ok::<_, std::io::Error>(format!("chunk {n}")), n + 1))
                });
                Body::from_stream(chunks)
            }),
        );
    let behind = Behind::router(router);
    let street = street(json!({"max_body_bytes": 1 << 30}), &[behind.address]).await;

    let mut client = street.client().await;
    client
        .send("POST /open HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    for part in ["first", "second", "third"] {
        client.send(format!("{:x}\r\n{part}\r\n", part.len())).await;
        let arrived = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await;
        assert_eq!(
            arrived.unwrap().unwrap(),
            part,
            "before the next part is sent"
        );
    }
    assert_eq!(client.say("0\r\n\r\n").await.status, 200);

    let mut client = street.client().await;
    client.send("GET /known HTTP/1.1\r\nhost: t\r\n\r\n").await;
    while !client.text().contains("chunk 0") {
        assert!(client.more().await);
    }
    assert!(
        !client.text().contains("chunk 4"),
        "the first chunk did not wait for the last"
    );
    assert_eq!(
        client.answer().await.body,
        b"chunk 0chunk 1chunk 2chunk 3chunk 4"
    );
}

#[tokio::test]
async fn large_bodies_pass_whole() {
    let router = Router::new()
        .fallback(post(async |body: Bytes| body).get(async || vec![7_u8; 3 << 20]))
        .layer(axum::extract::DefaultBodyLimit::disable());
    let behind = Behind::router(router);
    let street = street(json!({"max_body_bytes": 8 << 20}), &[behind.address]).await;
    let body: Vec<u8> = (0..4_u32 << 20).map(|n| (n % 251) as u8).collect();
    let http = &street.gateway.http;
    let answer = http
        .post(street.url("/open"))
        .body(body.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.bytes().await.unwrap(), body);
    let answer = http.get(street.url("/open")).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), vec![7_u8; 3 << 20]);
}

/// What hyper says of a head that it cannot parse is replaced by a problem; a service that says
/// the same in a body is not meant.
#[tokio::test]
async fn bodies_that_look_like_refusals_pass_whole() {
    const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    let router = Router::new()
        .route("/known", get(async || REFUSAL))
        .fallback(async move || {
            let rest = stream::once(async move {
                wait.notified().await;
                Ok(REFUSAL)
            });
            let start = stream::iter([Ok::<_, std::io::Error>(REFUSAL)]);
            let length = [("content-length", (2 * REFUSAL.len()).to_string())];
            (length, Body::from_stream(start.chain(rest)))
        });
    let behind = Behind::router(router);
    let street = street(json!({}), &[behind.address]).await;
    // A part of another head comes along, which is no request yet.
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\nGET /kno");
    let mut client = street.client().await;
    let answer = client.say(ask("/known")).await;
    assert_eq!(String::from_utf8(answer.body).unwrap(), REFUSAL);

    let mut client = street.client().await;
    client.send(ask("/open")).await;
    while !client.text().ends_with(REFUSAL) {
        assert!(client.more().await);
    }
    go_on.notify_one();
    let answer = client.answer().await;
    assert_eq!(String::from_utf8(answer.body).unwrap(), REFUSAL.repeat(2));
    let answer = client.say("wn HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn trailers_of_an_answer_reach_who_asked_for_them() {
    let behind = Behind::sockets(async |_, mut socket| {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut buffer = [0; 4096];
        while socket.read(&mut buffer).await.unwrap_or(0) > 0 {
            let answer = "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
                2\r\nok\r\n0\r\nx-sum: 42\r\n\r\n";
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let street = street(json!({}), &[behind.address]).await;
    let mut client = street.client().await;
    client
        .send("GET /open HTTP/1.1\r\nhost: t\r\nte: trailers\r\nconnection: te, close\r\n\r\n")
        .await;
    let all = String::from_utf8(client.rest().await).unwrap();
    assert!(all.ends_with("2\r\nok\r\n0\r\nx-sum: 42\r\n\r\n"), "{all}");
    let mut client = street.client().await;
    client
        .send("GET /open HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")
        .await;
    let all = String::from_utf8(client.rest().await).unwrap();
    assert!(!all.contains("x-sum: 42"), "{all}");
    assert!(all.contains(header::TRAILER.as_str()));
}

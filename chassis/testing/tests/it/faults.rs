//! Who may break a service on purpose, and how that looks to those who call it.

use std::time::{Duration, Instant};

use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use testing::{Running, Town, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{example::Example, gate::within, problems::problem};

async fn breakable() -> Running {
    testing::start::<Example>(json!({"faults_enabled": true})).await
}

/// What the admin listener answers to whoever shows this.
async fn ask(
    running: &Running,
    (method, path): (Method, &str),
    authorization: Option<String>,
    body: impl Into<reqwest::Body>,
) -> Response {
    let url = format!("{}{path}", running.admin_url);
    let mut request = running.http.request(method, url);
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let request = request.header(header::CONTENT_TYPE, "application/json");
    request.body(body).send().await.unwrap()
}

/// What it answers to the operator.
async fn operator(
    running: &Running,
    route: (Method, &str),
    body: impl Into<reqwest::Body>,
) -> Response {
    let token = format!("Bearer {}", running.town().operator_token());
    ask(running, route, Some(token), body).await
}

async fn arm(running: &Running, body: &Value) -> Value {
    let route = (Method::PUT, "/faults/server");
    let response = operator(running, route, body.to_string()).await;
    assert_eq!(response.status(), 200, "{body}");
    response.json().await.unwrap()
}

async fn points(running: &Running) -> Value {
    let response = operator(running, (Method::GET, "/faults"), "").await;
    assert_eq!(response.status(), 200);
    response.json::<Value>().await.unwrap()["points"].take()
}

async fn refused(response: Response, status: u16, code: &str) -> Value {
    let headers = response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    let answered = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(answered, status, "{body}");
    assert_eq!(body["code"], code, "{body}");
    body
}

async fn greeting(running: &Running) -> reqwest::Result<Response> {
    let url = format!("{}/greeting", running.url);
    running.http.get(url).send().await
}

/// Every byte that is answered to one request, until the connection ends.
async fn bytes(running: &Running) -> Vec<u8> {
    let mut stream = tokio::net::TcpStream::connect(running.address())
        .await
        .unwrap();
    let request = b"GET /greeting HTTP/1.1\r\nhost: example\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut bytes = Vec::new();
    let _ = within(stream.read_to_end(&mut bytes)).await;
    bytes
}

fn routes() -> [(Method, &'static str); 5] {
    [
        (Method::GET, "/faults"),
        (Method::PUT, "/faults/server"),
        (Method::POST, "/faults/server/renew"),
        (Method::DELETE, "/faults/server"),
        (Method::PUT, "/faults/none"),
    ]
}

const HANG: &str = r#"{"action": "hang", "lease_ms": 60000}"#;

#[tokio::test]
async fn nobody_but_the_operator_is_let_in() {
    for enabled in [true, false] {
        let running = testing::start::<Example>(json!({"faults_enabled": enabled})).await;
        let town = running.town();
        for route in routes() {
            for shown in [None, Some("Basic YWRhOmFkYQ==".to_owned())] {
                let response = ask(&running, route.clone(), shown, HANG).await;
                assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
                refused(response, 401, "missing_token").await;
            }
            for token in [
                town.member_token("ada", &[]),
                town.member_token("ada", &["admin"]),
                town.service_token("orders", "example"),
                Town::new().operator_token().to_owned(),
                "guess".to_owned(),
            ] {
                let shown = Some(format!("Bearer {token}"));
                let response = ask(&running, route.clone(), shown, HANG).await;
                refused(response, 401, "invalid_token").await;
            }
        }
        assert_eq!(greeting(&running).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn without_an_operator_token_nobody_is_the_operator() {
    let settings = json!({"faults_enabled": true, "operator_token": ""});
    let running = testing::start::<Example>(settings).await;
    for route in routes() {
        for shown in ["Bearer ", "Bearer x"] {
            let response = ask(&running, route.clone(), Some(shown.to_owned()), HANG).await;
            assert_eq!(response.status(), 401);
        }
    }
}

#[tokio::test]
async fn a_service_that_was_not_started_for_faults_has_none() {
    let running = testing::start::<Example>(json!({})).await;
    for route in routes() {
        for body in [HANG, "no fault at all"] {
            let response = operator(&running, route.clone(), body).await;
            refused(response, 403, "faults_disabled").await;
        }
    }
    let page = running.metrics().await;
    for line in [
        "citywatch_faults_active 0",
        "citywatch_faults_injected_total{action=\"kill\"} 0",
        "citywatch_faults_points 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
}

#[tokio::test]
async fn the_public_listener_knows_nothing_of_faults() {
    let running = breakable().await;
    for (method, path) in routes() {
        let url = format!("{}{path}", running.url);
        let request = running.http.request(method, url);
        let request = request.bearer_auth(running.town().operator_token());
        let response = request.body(HANG).send().await.unwrap();
        problem(response, 404, "unknown_route").await;
    }
}

#[tokio::test]
async fn what_is_no_fault_is_refused_and_nothing_is_armed() {
    let running = breakable().await;
    let put = async |body: &str| {
        let route = (Method::PUT, "/faults/server");
        operator(&running, route, body.to_owned()).await
    };
    for body in ["", "{", "hang"] {
        refused(put(body).await, 400, "invalid_json").await;
    }
    for body in [
        "[]",
        r#"{"action": "hang"}"#,
        r#"{"lease_ms": 1000}"#,
        r#"{"action": "burn", "lease_ms": 1000}"#,
        r#"{"action": "hang", "lease_ms": -1}"#,
        r#"{"action": "hang", "lease_ms": "1s"}"#,
        r#"{"action": "hang", "lease_ms": 1000, "forever": true}"#,
        r#"{"action": "error", "io": "sad", "lease_ms": 1000}"#,
    ] {
        refused(put(body).await, 422, "invalid_fields").await;
    }
    for body in [
        r#"{"action": "hang", "lease_ms": 0}"#,
        r#"{"action": "hang", "lease_ms": 60001}"#,
        r#"{"action": "hang", "lease_ms": 1000, "ttl_ms": 600001}"#,
        r#"{"action": "hang", "lease_ms": 1000, "probability": 1.5}"#,
        r#"{"action": "hang", "lease_ms": 1000, "count": 0}"#,
        r#"{"action": "hang", "lease_ms": 1000, "status": 503}"#,
        r#"{"action": "hang", "lease_ms": 1000, "delay_ms": 5}"#,
        r#"{"action": "latency", "lease_ms": 1000}"#,
        r#"{"action": "latency", "lease_ms": 1000, "delay_ms": 60001}"#,
        r#"{"action": "error", "lease_ms": 1000, "status": 200}"#,
        r#"{"action": "error", "lease_ms": 1000, "status": 7}"#,
        r#"{"action": "error", "lease_ms": 1000, "status": 503, "io": "reset"}"#,
    ] {
        let body = refused(put(body).await, 422, "invalid_fault").await;
        assert!(body["detail"].is_string(), "{body}");
    }
    let long = format!("{HANG}{}", " ".repeat(5_000));
    refused(put(&long).await, 413, "body_too_large").await;
    for point in ["none", "Server", "server%2Frenew", "%ff"] {
        let path = format!("/faults/{point}");
        let response = operator(&running, (Method::PUT, &path), HANG).await;
        assert!(response.status().is_client_error(), "{point}");
        if point != "%ff" {
            refused(response, 404, "unknown_point").await;
        }
    }
    assert_eq!(points(&running).await[0].get("armed"), None);
    assert_eq!(greeting(&running).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_fault_is_armed_renewed_and_disarmed() {
    let running = breakable().await;
    let renew = (Method::POST, "/faults/server/renew");
    let response = operator(&running, renew.clone(), "").await;
    refused(response, 409, "not_armed").await;
    let fault = json!({
        "action": "latency", "delay_ms": 1, "probability": 0.5, "count": 7,
        "lease_ms": 50_000, "ttl_ms": 90_000,
    });
    let mut armed = arm(&running, &fault).await;
    let ends = armed["armed"]["ends_in_ms"].take().as_u64().unwrap();
    assert!((40_000..=50_000).contains(&ends), "{ends}");
    let expected = json!({
        "name": "server",
        "about": "a public request has come in, its handler has not begun",
        "hits": 0, "injected": 0,
        "armed": {
            "action": "latency", "delay_ms": 1, "jitter_ms": 0, "probability": 0.5, "count": 7,
            "lease_ms": 50_000, "ttl_ms": 90_000, "injected": 0, "left": 7, "ends_in_ms": null,
        },
    });
    assert_eq!(armed, expected);
    let renewed = operator(&running, renew, "").await;
    assert_eq!(renewed.status(), 200);
    let renewed: Value = renewed.json().await.unwrap();
    assert_eq!(renewed["armed"]["lease_ms"], 50_000);
    for _ in 0..2 {
        let response = operator(&running, (Method::DELETE, "/faults/server"), "").await;
        assert_eq!(response.status(), 204);
    }
    assert_eq!(greeting(&running).await.unwrap().status(), 200);
    let point = points(&running).await[0].take();
    assert_eq!(
        (&point["name"], &point["hits"]),
        (&json!("server"), &json!(1))
    );
    assert_eq!(point.get("armed"), None, "{point}");
}

#[tokio::test]
async fn an_error_on_purpose_looks_like_any_other() {
    let running = breakable().await;
    for (status, code) in [(503, "unavailable"), (500, "internal"), (504, "timeout")] {
        arm(
            &running,
            &json!({"action": "error", "status": status, "lease_ms": 60_000}),
        )
        .await;
        let response = greeting(&running).await.unwrap();
        let shown = format!("{:?}", response.headers());
        let body = problem(response, status, code).await;
        for text in [shown, body.to_string()] {
            let text = text.to_lowercase();
            assert!(
                !text.contains("inject") && !text.contains("fault"),
                "{text}"
            );
        }
        let page = running.metrics().await;
        let counted = page.lines().any(|line| {
            line.starts_with("http_server_request_duration_seconds_count{")
                && line.contains("http_route=\"/greeting\"")
                && line.contains(&format!("\"{status}\""))
                && line.ends_with(" 1")
        });
        assert!(counted, "{status}\n{page}");
    }
    let spans = eventually("all spans have ended", || async {
        let spans = running.spans().await;
        (spans.len() == 3).then_some(spans)
    })
    .await;
    for span in spans {
        assert!(span.is_error(), "{span:?}");
        let event = span.event("citywatch.fault.injected");
        let said = |name: &str| event.attributes[name].as_str().map(str::to_owned);
        assert_eq!(said("citywatch.fault.point").as_deref(), Some("server"));
        assert_eq!(said("citywatch.fault.action").as_deref(), Some("error"));
    }
    // The admin listener has no such point.
    assert_eq!(points(&running).await[0]["injected"], 3);
}

#[tokio::test]
async fn a_reset_sends_not_a_byte_and_the_next_request_is_answered() {
    let running = breakable().await;
    let fault = json!({"action": "error", "io": "reset", "count": 1, "lease_ms": 60_000});
    arm(&running, &fault).await;
    assert_eq!(bytes(&running).await, b"");
    let span = eventually("the request's span has ended", || async {
        running.spans().await.pop()
    })
    .await;
    assert!(span.is_error(), "{span:?}");
    assert_eq!(greeting(&running).await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_hangs_is_dropped_when_the_lease_ends() {
    let running = breakable().await;
    arm(&running, &json!({"action": "hang", "lease_ms": 300})).await;
    let begun = Instant::now();
    assert_eq!(bytes(&running).await, b"");
    assert!(begun.elapsed() >= Duration::from_millis(250));
    assert_eq!(greeting(&running).await.unwrap().status(), 200);
    assert_eq!(points(&running).await[0].get("armed"), None);
}

#[tokio::test]
async fn what_hangs_takes_no_longer_than_any_request_may() {
    let settings = json!({"faults_enabled": true, "request_timeout_ms": 100});
    let running = testing::start::<Example>(settings).await;
    arm(&running, &json!({"action": "hang", "lease_ms": 60_000})).await;
    let response = within(greeting(&running)).await.unwrap();
    problem(response, 504, "timeout").await;
}

#[tokio::test]
async fn two_services_of_one_process_have_their_own_faults() {
    let (broken, whole) = (breakable().await, breakable().await);
    arm(&broken, &json!({"action": "error", "lease_ms": 60_000})).await;
    problem(greeting(&broken).await.unwrap(), 503, "unavailable").await;
    assert_eq!(greeting(&whole).await.unwrap().status(), 200);
    assert_eq!(points(&whole).await[0].get("armed"), None);
}

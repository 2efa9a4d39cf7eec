use reqwest::{Method, RequestBuilder, Response, header};
use serde_json::{Value, json};
use testing::Running;

use crate::{example::Example, gate::Gate};

/// The answer's body, which must be a problem of this status and code and name the trace that its
/// header names.
pub(crate) async fn problem(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status(), status, "{code}");
    let headers = response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    let traceresponse = headers["traceresponse"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status, "{body}");
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["type"], "about:blank");
    assert!(!body["title"].as_str().unwrap().is_empty());
    assert_eq!(traceresponse.split('-').nth(1), body["trace_id"].as_str());
    body
}

fn request(running: &Running, method: Method, path: &str) -> RequestBuilder {
    let url = format!("{}{path}", running.url);
    running.http.request(method, url)
}

#[tokio::test]
async fn a_panic_is_an_answer_and_says_nothing_of_its_cause() {
    let running = testing::start::<Example>(json!({})).await;
    for (method, path) in [(Method::GET, "/panic"), (Method::POST, "/detached-panic")] {
        let response = request(&running, method, path).send().await.unwrap();
        let body = problem(response, 500, "internal").await;
        let text = body.to_string();
        assert!(!text.contains("shelf") && !text.contains("pen"), "{text}");
    }
    let after = request(&running, Method::GET, "/greeting").send().await;
    assert_eq!(after.unwrap().text().await.unwrap(), "hello");
    running.stop().await;
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_dropped() {
    let running = testing::start::<Example>(json!({"request_timeout_ms": 20})).await;
    let gate = Gate::new();
    let path = format!("/wait/{}", gate.name());
    let response = request(&running, Method::GET, &path).send().await.unwrap();
    problem(response, 504, "timeout").await;
    gate.dropped().await;
    assert_eq!(gate.passed(), None);
}

#[tokio::test]
async fn what_no_route_answers_is_a_problem() {
    let running = testing::start::<Example>(json!({})).await;
    for path in ["/", "/nothing", "/items/1/2", "/livez"] {
        let response = request(&running, Method::GET, path).send().await.unwrap();
        problem(response, 404, "unknown_route").await;
    }
    let response = request(&running, Method::DELETE, "/items").send().await;
    let response = response.unwrap();
    let allowed = response.headers()[header::ALLOW].to_str().unwrap();
    let mut allowed: Vec<_> = allowed.split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    problem(response, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn bodies_are_bounded_and_understood_or_refused() {
    let running = testing::start::<Example>(json!({"max_body_bytes": 100})).await;
    let post = || request(&running, Method::POST, "/items");
    let json = || post().header(header::CONTENT_TYPE, "application/json");

    let good = json!({"name": "lamp", "quantity": 2});
    let response = post().json(&good).send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap(), good);

    let large = json!({"name": "l".repeat(100), "quantity": 2}).to_string();
    let response = json().body(large.clone()).send().await.unwrap();
    problem(response, 413, "body_too_large").await;
    // Without a length that could be looked at first.
    let pieces: Vec<_> = large
        .bytes()
        .map(|byte| Ok::<_, String>(vec![byte]))
        .collect();
    let pieces = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let response = json().body(pieces).send().await.unwrap();
    problem(response, 413, "body_too_large").await;

    for body in ["", "{", "lamp", "{\"name\": \"lamp\", \"quantity\": 2"] {
        let response = json().body(body).send().await.unwrap();
        problem(response, 400, "invalid_json").await;
    }
    for fields in [
        json!({"name": "lamp"}),
        json!({"name": "lamp", "quantity": -1}),
        json!({"name": 7, "quantity": 1}),
        json!([]),
    ] {
        let response = post().json(&fields).send().await.unwrap();
        problem(response, 422, "invalid_fields").await;
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "odd"] {
        let request = post().header(header::CONTENT_TYPE, kind);
        let response = request.body(good.to_string()).send().await.unwrap();
        problem(response, 415, "unsupported_media_type").await;
    }
    let response = post().body(good.to_string()).send().await.unwrap();
    problem(response, 415, "unsupported_media_type").await;
}

#[tokio::test]
async fn queries_and_paths_are_understood_or_refused() {
    let running = testing::start::<Example>(json!({})).await;
    let get = async |path: &str| request(&running, Method::GET, path).send().await.unwrap();
    let page = get("/items?limit=7").await.json::<Value>().await.unwrap();
    assert_eq!(page, json!({"limit": 7}));
    for query in [
        "",
        "?limit",
        "?limit=many",
        "?limit=256",
        "?limit=1&limit=2",
    ] {
        let body = problem(get(&format!("/items{query}")).await, 400, "invalid_query").await;
        assert!(body["detail"].as_str().unwrap().contains("limit"), "{body}");
    }
    assert_eq!(get("/items/7").await.text().await.unwrap(), "7");
    for id in ["seven", "-1", "4294967296", "%ff"] {
        problem(get(&format!("/items/{id}")).await, 400, "invalid_path").await;
    }
}

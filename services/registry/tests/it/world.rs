//! A registry, and whoever calls it.

use std::time::Duration;

use registry::Registry;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use testing::Running;

/// Leases of a test that waits for them to lapse: long enough that a busy machine does not lapse
/// what the test keeps.
pub(crate) const SHORT_TTL_MS: u64 = 1_500;

/// A registry where nothing lapses while a test looks.
pub(crate) async fn start() -> Running {
    start_with(json!({})).await
}

/// The same with settings of the test's own.
pub(crate) async fn start_with(overrides: Value) -> Running {
    let mut settings = json!({ "lease_ttl_ms": 60_000 });
    if let (Value::Object(settings), Value::Object(overrides)) = (&mut settings, overrides) {
        settings.extend(overrides);
    }
    testing::start::<Registry>(settings).await
}

pub(crate) trait Caller {
    /// A request without a token.
    fn anyone(&self, method: Method, path: &str) -> RequestBuilder;
    /// A request by a service.
    fn service(&self, name: &str, method: Method, path: &str) -> RequestBuilder;
    fn operator(&self, method: Method, path: &str) -> RequestBuilder;
    fn member(&self, roles: &[&str], method: Method, path: &str) -> RequestBuilder;

    /// Registers an instance of `catalog`.
    async fn register(&self, id: &str, port: u16) -> Response;
    /// What any service reads of `catalog`.
    async fn catalog(&self) -> Value;
}

impl Caller for Running {
    fn anyone(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    fn service(&self, name: &str, method: Method, path: &str) -> RequestBuilder {
        let token = self.town().service_token(name, "registry");
        self.anyone(method, path).bearer_auth(token)
    }

    fn operator(&self, method: Method, path: &str) -> RequestBuilder {
        self.anyone(method, path)
            .bearer_auth(self.town().operator_token())
    }

    fn member(&self, roles: &[&str], method: Method, path: &str) -> RequestBuilder {
        let token = self
            .town()
            .member_token("019aa3b2-7c7e-7bb0-a3a2-6c1c2f9f2a11", roles);
        self.anyone(method, path).bearer_auth(token)
    }

    async fn register(&self, id: &str, port: u16) -> Response {
        let request = self.service("catalog", Method::POST, "/v1/instances");
        request
            .json(&instance("catalog", id, port))
            .send()
            .await
            .unwrap()
    }

    async fn catalog(&self) -> Value {
        let request = self.service("gateway", Method::GET, "/v1/services/catalog");
        json_of(request.send().await.unwrap(), StatusCode::OK).await
    }
}

/// A registration whose admin listener is a hundred ports away.
pub(crate) fn instance(service: &str, id: &str, port: u16) -> Value {
    json!({
        "service": service, "instance_id": id, "address": format!("127.0.0.1:{port}"),
        "admin_address": format!("127.0.0.1:{}", port + 100), "version": "0.1.0", "pid": 7,
    })
}

/// The ids and states in a service's JSON.
pub(crate) fn states(service: &Value) -> Vec<(String, String)> {
    let instances = service["instances"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    instances
        .map(|one| (text(&one["instance_id"]), text(&one["state"])))
        .collect()
}

pub(crate) fn is(states: &[(String, String)], expected: &[(&str, &str)]) -> bool {
    states
        .iter()
        .map(|(id, state)| (id.as_str(), state.as_str()))
        .eq(expected.iter().copied())
}

/// The JSON of an answer that has this status.
pub(crate) async fn json_of(response: Response, status: StatusCode) -> Value {
    let url = response.url().clone();
    let answered = response.status();
    let body = response.text().await.unwrap();
    assert_eq!(answered, status, "{url}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Expects a problem answer with this status and code.
pub(crate) async fn refused(response: Response, status: StatusCode, code: &str) -> Value {
    let kind = response.headers().get("content-type").cloned();
    let problem = json_of(response, status).await;
    assert_eq!(problem["code"], code, "{problem}");
    assert_eq!(kind.unwrap(), "application/problem+json");
    problem
}

/// A stream of server-sent events, read the plain way.
pub(crate) struct Events {
    response: Response,
    text: String,
}

impl Events {
    pub(crate) async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event's name, id and data; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name))?;
                    Some(line.trim_start_matches(':').trim().to_owned())
                };
                let event = (field("event"), field("id"), field("data"));
                self.text = rest.to_owned();
                if let (Some(name), Some(id), Some(data)) = event {
                    return Some((name, id, serde_json::from_str(&data).unwrap()));
                }
                continue;
            }
            let piece = tokio::time::timeout(Duration::from_secs(10), self.response.chunk());
            let piece = piece.await.expect("an event in time").ok()??;
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

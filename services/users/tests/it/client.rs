//! What a client of the service does, and what it may expect of any answer.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testing::Running;
use users::Users;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// An answer: status, headers and JSON body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).unwrap(),
        };
        let answer = Self {
            status,
            headers,
            body,
        };
        if status.is_client_error() || status.is_server_error() {
            answer.is_a_problem();
        }
        answer
    }

    /// Status and stable code of a problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        (
            self.status.as_u16(),
            self.body["code"].as_str().unwrap_or("no code"),
        )
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field]
            .as_str()
            .unwrap_or_else(|| panic!("no {field}: {}", self.body))
            .to_owned()
    }

    fn is_a_problem(&self) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.body
        );
        assert_eq!(self.body["status"], self.status.as_u16());
        if self.status == StatusCode::UNAUTHORIZED {
            assert!(self.header("www-authenticate").starts_with("Bearer"));
        }
    }
}

pub(crate) async fn start() -> Running {
    testing::start::<Users>(json!({})).await
}

pub(crate) async fn call(service: &Running, method: Method, path: &str, body: Value) -> Answer {
    let url = format!("{}{path}", service.url);
    Answer::of(service.http.request(method, url).json(&body)).await
}

pub(crate) async fn post(service: &Running, path: &str, body: Value) -> Answer {
    call(service, Method::POST, path, body).await
}

pub(crate) async fn sign_up(service: &Running, email: &str) -> Answer {
    let body = json!({ "email": email, "password": PASSWORD, "name": "Mina Kim" });
    post(service, "/api/users", body).await
}

pub(crate) async fn log_in(service: &Running, email: &str, password: &str) -> Answer {
    post(
        service,
        "/api/sessions",
        json!({ "email": email, "password": password }),
    )
    .await
}

pub(crate) async fn refresh(service: &Running, token: &str) -> Answer {
    post(
        service,
        "/api/sessions/refresh",
        json!({ "refresh_token": token }),
    )
    .await
}

pub(crate) async fn log_out(service: &Running, token: &str) -> Answer {
    call(
        service,
        Method::DELETE,
        "/api/sessions",
        json!({ "refresh_token": token }),
    )
    .await
}

pub(crate) async fn me(service: &Running, token: &str) -> Answer {
    Answer::of(
        service
            .http
            .get(format!("{}/api/users/me", service.url))
            .bearer_auth(token),
    )
    .await
}

/// Signs a new member up and in.
pub(crate) async fn member(service: &Running, email: &str) -> Answer {
    assert_eq!(sign_up(service, email).await.status, 201);
    let tokens = log_in(service, email, PASSWORD).await;
    assert_eq!(tokens.status, 200);
    tokens
}

/// The value of one series on the metrics page.
pub(crate) async fn metric(service: &Running, series: &str) -> f64 {
    let page = service.metrics().await;
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("no {series} in\n{page}"));
    value.split(' ').next().unwrap().parse().unwrap()
}

//! The public keys reach the registry, however it behaves; it is played by a few routes here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use users::Users;

use crate::client::Answer;

/// A registry that is down for a while, and in which others write, too.
#[derive(Clone, Default)]
struct Registry(Arc<Mutex<Documents>>);

#[derive(Default)]
struct Documents {
    /// Requests for documents that are still to be refused.
    down_for: usize,
    /// What somebody else writes just before our first write.
    rival: Option<Value>,
    documents: BTreeMap<String, (u64, Value)>,
    conflicts: usize,
}

fn document(name: &str, version: u64, value: &Value) -> Value {
    json!({
        "name": name, "version": version, "value": value,
        "updated_at": "2026-11-22T00:00:00Z", "updated_by": "users",
    })
}

fn problem(status: StatusCode, code: &str) -> Response {
    (
        status,
        Json(json!({ "status": status.as_u16(), "code": code, "title": code })),
    )
        .into_response()
}

async fn read(State(registry): State<Registry>, Path(name): Path<String>) -> Response {
    let mut registry = registry.0.lock().unwrap();
    if registry.down_for > 0 {
        registry.down_for -= 1;
        return problem(StatusCode::SERVICE_UNAVAILABLE, "down");
    }
    match registry.documents.get(&name) {
        Some((version, value)) => Json(document(&name, *version, value)).into_response(),
        None => problem(StatusCode::NOT_FOUND, "unknown_document"),
    }
}

async fn write(
    State(registry): State<Registry>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(value): Json<Value>,
) -> Response {
    let mut registry = registry.0.lock().unwrap();
    if let Some(rival) = registry.rival.take() {
        registry.documents.insert(name.clone(), (1, rival));
    }
    let version = registry.documents.get(&name).map(|(version, _)| *version);
    let expected = match version {
        None => headers.get("if-none-match").is_some_and(|tag| tag == "*"),
        Some(version) => headers
            .get("if-match")
            .is_some_and(|tag| tag == &format!("\"{version}\"")),
    };
    if !expected {
        registry.conflicts += 1;
        return problem(StatusCode::PRECONDITION_FAILED, "version_conflict");
    }
    let next = version.unwrap_or_default() + 1;
    registry
        .documents
        .insert(name.clone(), (next, value.clone()));
    Json(document(&name, next, &value)).into_response()
}

/// Starts the registry and gives its address.
async fn start(registry: Registry) -> String {
    let granted = || async { (StatusCode::CREATED, Json(json!({ "ttl_ms": 60_000 }))) };
    let routes = Router::new()
        .route("/v1/documents/{name}", get(read).put(write))
        .route("/v1/instances", post(granted))
        .fallback(any(|| async {
            problem(StatusCode::SERVICE_UNAVAILABLE, "down")
        }))
        .with_state(registry);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

#[tokio::test]
async fn the_keys_get_there_past_refusals_and_rivals() {
    let registry = Registry::default();
    *registry.0.lock().unwrap() = Documents {
        down_for: 6,
        rival: Some(json!({ "keys": [] })),
        ..Documents::default()
    };
    let url = start(registry.clone()).await;
    let service = testing::start::<Users>(json!({ "registry_url": url })).await;
    let jwks = format!("{}/.well-known/jwks.json", service.url);
    let own = Answer::of(service.http.get(jwks)).await.body;
    testing::eventually("the document is ours", || async {
        let registry = registry.0.lock().unwrap();
        let (version, value) = registry.documents.get("jwks.members")?;
        (*value == own).then_some(*version)
    })
    .await;
    assert_eq!(
        registry.0.lock().unwrap().conflicts,
        1,
        "the rival's write was seen, not undone"
    );
}

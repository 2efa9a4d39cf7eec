//! A registry that says what a test tells it to.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post, put},
};
use futures_util::stream::{self, Stream};
use serde_json::{Value, json};
use testing::eventually;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub(crate) struct Registry {
    pub(crate) url: String,
    facts: Arc<Facts>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Facts {
    /// Documents, and lists of instances, by the path of their watch.
    told: Mutex<BTreeMap<String, watch::Sender<Value>>>,
    asked: Mutex<Vec<String>>,
}

impl Facts {
    fn of(&self, kind: &str, name: &str) -> watch::Sender<Value> {
        let mut told = self.told.lock().unwrap();
        let sender = told.entry(format!("{kind}/{name}")).or_insert_with(|| {
            watch::Sender::new(match kind {
                "services" => instances(name, &[]),
                _ => Value::Null,
            })
        });
        sender.clone()
    }
}

type Shared = State<Arc<Facts>>;

impl Registry {
    pub(crate) async fn start() -> Self {
        let facts = Arc::new(Facts::default());
        let granted = async || Json(json!({"ttl_ms": 60_000}));
        let router = Router::new()
            .route("/v1/instances", post(granted))
            .route("/v1/instances/{service}/{id}", put(granted).delete(granted))
            .route("/v1/documents/{name}", get(document))
            .route("/v1/{kind}/{name}/watch", get(follow))
            .with_state(facts.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, facts, server }
    }

    /// Writes a document.
    pub(crate) fn write(&self, name: &str, value: &Value) {
        self.facts.of("documents", name).send_modify(|document| {
            let version = document["version"].as_u64().unwrap_or(0) + 1;
            *document = json!({
                "name": name, "version": version, "value": value,
                "updated_at": "2026-01-01T00:00:00Z", "updated_by": "operator",
            });
        });
    }

    /// Says which instances of a service there are.
    pub(crate) fn place(&self, service: &str, ids: &[&str]) {
        let list = instances(service, ids);
        self.facts.of("services", service).send_replace(list);
    }

    /// Says nothing of a service, until it is placed.
    pub(crate) fn conceal(&self, service: &str) {
        self.facts.of("services", service).send_replace(Value::Null);
    }

    /// Returns when a service is watched.
    pub(crate) async fn watched(&self, service: &str) {
        let told = self.facts.of("services", service);
        eventually("it is watched", || async {
            (told.receiver_count() > 0).then_some(())
        })
        .await;
    }

    /// How often a document was asked for, watching aside.
    pub(crate) fn asked(&self, document: &str) -> usize {
        let asked = self.facts.asked.lock().unwrap();
        asked.iter().filter(|name| *name == document).count()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn instances(service: &str, ids: &[&str]) -> Value {
    let instance = |id| {
        json!({
            "instance_id": id, "address": "127.0.0.1:9",
            "admin_address": null, "version": "1", "pid": 1, "state": "up",
        })
    };
    let instances: Vec<_> = ids.iter().map(instance).collect();
    json!({"service": service, "revision": 1, "state": "ready", "instances": instances})
}

async fn document(State(facts): Shared, Path(name): Path<String>) -> Response {
    let document = facts.of("documents", &name).borrow().clone();
    facts.asked.lock().unwrap().push(name);
    if document.is_null() {
        let problem = json!({"code": "unknown_document", "status": 404, "title": "none"});
        return (StatusCode::NOT_FOUND, Json(problem)).into_response();
    }
    Json(document).into_response()
}

async fn follow(
    State(facts): Shared,
    Path((kind, name)): Path<(String, String)>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut told = facts.of(&kind, &name).subscribe();
    let event = if kind == "documents" {
        "document"
    } else {
        "instances"
    };
    if event == "document" || !told.borrow().is_null() {
        told.mark_changed();
    }
    Sse::new(stream::unfold(told, move |mut told| async move {
        told.changed().await.ok()?;
        let data = told.borrow_and_update().to_string();
        Some((Ok(Event::default().event(event).data(data)), told))
    }))
}

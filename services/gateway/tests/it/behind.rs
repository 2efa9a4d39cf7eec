//! What stands behind the gateway: services that can be killed, and a registry to find them by.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use futures_util::stream::{self, Stream};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A small service on a runtime of its own, so that killing it closes every socket at once, as
/// the death of a process does.
pub(crate) struct Behind {
    pub(crate) address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Behind {
    /// Serves a router.
    pub(crate) fn router(router: Router) -> Self {
        Self::new(move |listener| async move {
            axum::serve(listener, router).await.unwrap();
        })
    }

    /// Gives every accepted connection, and its number, to `talk`.
    pub(crate) fn sockets<F, Fut>(talk: F) -> Self
    where
        F: Fn(usize, TcpStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::new(move |listener| async move {
            for number in 0.. {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(talk(number, socket));
            }
        })
    }

    fn new<F, Fut>(serve: F) -> Self
    where
        F: FnOnce(TcpListener) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let entered = runtime.enter();
        let listener = TcpListener::from_std(listener).unwrap();
        drop(entered);
        runtime.spawn(serve(listener));
        Self {
            address,
            runtime: Some(runtime),
        }
    }

    /// Ends it as `kill -9` does: when this returns, its address accepts nothing any more.
    pub(crate) fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
        let begun = Instant::now();
        while std::net::TcpStream::connect(self.address).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(10), "does not die");
            std::thread::yield_now();
        }
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A registry with just what the gateway asks of one.
pub(crate) struct Registry {
    pub(crate) url: String,
    facts: Arc<Facts>,
    _server: Behind,
}

#[derive(Default)]
struct Facts {
    services: Mutex<BTreeMap<String, watch::Sender<Vec<SocketAddr>>>>,
    documents: Mutex<BTreeMap<String, watch::Sender<Value>>>,
    /// How often each document was asked for.
    asked: Mutex<BTreeMap<String, u32>>,
}

type Events = Sse<std::pin::Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>>>;

impl Registry {
    pub(crate) fn start() -> Self {
        let facts = Arc::new(Facts::default());
        let router = Router::new()
            .route("/v1/instances", post(register))
            .route("/v1/instances/{service}/{id}", put(granted).delete(gone))
            .route("/v1/services/{service}/watch", get(watch_instances))
            .route("/v1/documents/{name}", get(document))
            .route("/v1/documents/{name}/watch", get(watch_document))
            .with_state(Arc::clone(&facts));
        let server = Behind::router(router);
        Self {
            url: format!("http://{}", server.address),
            facts,
            _server: server,
        }
    }

    /// Says where a service's instances are.
    pub(crate) fn place(&self, service: &str, at: &[SocketAddr]) {
        self.facts.service(service).send_replace(at.to_vec());
    }

    /// Writes a document.
    pub(crate) fn write(&self, name: &str, value: &Value) {
        self.facts.document(name).send_modify(|document| {
            let version = document["version"].as_u64().unwrap_or(0) + 1;
            *document = json!({
                "name": name, "version": version, "value": value,
                "updated_at": "2026-01-01T00:00:00Z", "updated_by": "operator",
            });
        });
    }

    /// How often a document was asked for, watching aside.
    pub(crate) fn asked(&self, document: &str) -> u32 {
        let asked = self.facts.asked.lock().unwrap();
        asked.get(document).copied().unwrap_or(0)
    }
}

impl Facts {
    fn service(&self, name: &str) -> watch::Sender<Vec<SocketAddr>> {
        self.services
            .lock()
            .unwrap()
            .entry(name.to_owned())
            .or_default()
            .clone()
    }

    fn document(&self, name: &str) -> watch::Sender<Value> {
        self.documents
            .lock()
            .unwrap()
            .entry(name.to_owned())
            .or_default()
            .clone()
    }
}

async fn register() -> impl IntoResponse {
    (StatusCode::CREATED, Json(json!({"ttl_ms": 60_000})))
}

async fn granted() -> impl IntoResponse {
    Json(json!({"ttl_ms": 60_000}))
}

async fn gone() -> impl IntoResponse {
    StatusCode::NO_CONTENT
}

async fn watch_instances(State(facts): State<Arc<Facts>>, Path(service): Path<String>) -> Events {
    let name = service.clone();
    events(
        facts.service(&service).subscribe(),
        "instances",
        move |addresses| {
            let instances: Vec<_> = addresses
                .iter()
                .map(|address| {
                    json!({
                        "instance_id": address.to_string(), "address": address,
                        "admin_address": null, "version": "1", "pid": 1, "state": "up",
                    })
                })
                .collect();
            json!({"service": name, "revision": 1, "state": "ready", "instances": instances})
        },
    )
}

async fn document(State(facts): State<Arc<Facts>>, Path(name): Path<String>) -> Response {
    *facts.asked.lock().unwrap().entry(name.clone()).or_default() += 1;
    let document = facts.document(&name).borrow().clone();
    if document.is_null() {
        let problem = json!({"code": "unknown_document", "status": 404, "title": "none"});
        return (StatusCode::NOT_FOUND, Json(problem)).into_response();
    }
    Json(document).into_response()
}

async fn watch_document(State(facts): State<Arc<Facts>>, Path(name): Path<String>) -> Events {
    events(facts.document(&name).subscribe(), "document", Value::clone)
}

fn events<T: Send + Sync + 'static>(
    receiver: watch::Receiver<T>,
    name: &'static str,
    render: impl Fn(&T) -> Value + Send + 'static,
) -> Events {
    let stream = stream::unfold(
        (receiver, render, 0),
        move |(mut receiver, render, id)| async move {
            if id > 0 {
                receiver.changed().await.ok()?;
            }
            let data = render(&receiver.borrow_and_update()).to_string();
            let event = Event::default().event(name).id(id.to_string()).data(data);
            Some((Ok(event), (receiver, render, id + 1)))
        },
    );
    Sse::new(Box::pin(stream))
}

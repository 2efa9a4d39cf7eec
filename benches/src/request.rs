//! A request through an axum router by `Service::call`: no sockets, so that nothing but the
//! router, its layers and the handler is measured.

use std::time::Duration;

use anyhow::{Result, ensure};
use axum::body::Body;
use axum::extract::{Path, Query};
use axum::routing::get;
use axum::{Json, Router};
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tower::Service;
use tower::layer::util::Identity;

use crate::subject::{Counts, Subject};

/// What the service is asked for.
pub(crate) const TARGET: &str = "/users/42?verbose=true";
/// What it answers.
pub(crate) const ANSWER: &[u8] = br#"{"id":42,"name":"Ada Lovelace","verbose":true}"#;

#[derive(Serialize)]
struct User {
    id: u64,
    name: &'static str,
    verbose: bool,
}

#[derive(Deserialize)]
struct Options {
    #[serde(default)]
    verbose: bool,
}

/// The service without any telemetry.
pub(crate) fn router() -> Router {
    Router::new().route(ROUTE, get(user))
}

/// The same, with a line from the handler.
pub(crate) fn logging_router() -> Router {
    Router::new().route(ROUTE, get(logged_user))
}

const ROUTE: &str = "/users/{id}";

async fn logged_user(path: Path<u64>, query: Query<Options>) -> Json<User> {
    tracing::info!(user.id = *path, "user looked up");
    user(path, query).await
}

async fn user(Path(id): Path<u64>, Query(options): Query<Options>) -> Json<User> {
    Json(User {
        id,
        name: "Ada Lovelace",
        verbose: options.verbose,
    })
}

/// Where what is recorded goes.
pub(crate) trait Pipeline {
    /// Waits until everything recorded so far has left the process.
    fn flush(&mut self, runtime: &Runtime) -> Result<()>;

    /// What became of the spans so far, if it says so.
    fn counts(&self) -> Option<Counts> {
        None
    }

    /// Stops within the deadline.
    fn stop(&mut self, runtime: &Runtime, deadline: Duration) -> Result<Option<Counts>>;
}

/// Nothing is recorded.
pub(crate) struct Nowhere;

impl Pipeline for Nowhere {
    fn flush(&mut self, _: &Runtime) -> Result<()> {
        Ok(())
    }

    fn stop(&mut self, _: &Runtime, _: Duration) -> Result<Option<Counts>> {
        Ok(None)
    }
}

/// The service within some layers.
pub(crate) struct Layered {
    pub(crate) router: Router,
    pub(crate) pipeline: Box<dyn Pipeline>,
}

impl Layered {
    /// No layer.
    pub(crate) fn bare() -> Layered {
        Layered {
            router: router(),
            pipeline: Box::new(Nowhere),
        }
    }

    /// A layer that does nothing: what axum itself asks for any `Router::layer`.
    pub(crate) fn identity() -> Layered {
        Layered {
            router: router().layer(Identity::new()),
            pipeline: Box::new(Nowhere),
        }
    }
}

/// What the caller says of its own trace.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller {
    Untraced,
    Sampled,
    Unsampled,
}

impl Caller {
    fn traceparent(self) -> Option<HeaderValue> {
        let value = match self {
            Caller::Untraced => return None,
            Caller::Sampled => "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            Caller::Unsampled => "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
        };
        Some(HeaderValue::from_static(value))
    }
}

/// A runtime on the thread that asks for it.
pub(crate) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Requests, one after the other, on a current-thread runtime.
pub(crate) struct Requests {
    runtime: Runtime,
    layered: Layered,
    traceparent: Option<HeaderValue>,
}

impl Requests {
    pub(crate) fn new(layered: Layered, caller: Caller) -> Result<Requests> {
        let Layered { router, pipeline } = layered;
        Ok(Requests {
            runtime: runtime()?,
            // As `axum::serve` does: else every request would make its routes and layers anew.
            layered: Layered {
                router: router.with_state(()),
                pipeline,
            },
            traceparent: caller.traceparent(),
        })
    }
}

impl Subject for Requests {
    fn run(&mut self, times: u64) -> Result<()> {
        let router = &mut self.layered.router;
        let traceparent = &self.traceparent;
        self.runtime.block_on(async {
            for _ in 0..times {
                request(router, traceparent.as_ref()).await?;
            }
            Ok(())
        })
    }

    fn flush(&mut self) -> Result<()> {
        self.layered.pipeline.flush(&self.runtime)
    }

    fn counts(&self) -> Option<Counts> {
        self.layered.pipeline.counts()
    }

    fn stop(&mut self, deadline: Duration) -> Result<Option<Counts>> {
        self.layered.pipeline.stop(&self.runtime, deadline)
    }

    fn router(&self) -> Option<Router> {
        Some(self.layered.router.clone())
    }
}

async fn request(router: &mut Router, traceparent: Option<&HeaderValue>) -> Result<()> {
    const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static(TARGET);
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("shop.example:8080"));
    headers.insert(USER_AGENT, HeaderValue::from_static("citywatch-benches/1"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Some(traceparent) = traceparent {
        headers.insert(TRACEPARENT, traceparent.clone());
    }
    let response = router.call(request).await?;
    ensure!(response.status() == StatusCode::OK, "{response:?}");
    let mut body = response.into_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            ensure!(ANSWER[read..].starts_with(data), "another answer: {data:?}");
            read += data.len();
        }
    }
    ensure!(
        read == ANSWER.len(),
        "{read} bytes of the answer are missing"
    );
    Ok(())
}

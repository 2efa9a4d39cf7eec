//! A request through an axum router by `Service::call`: no sockets, so that nothing but the
//! router, its layers and the handler is measured.

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

use crate::subject::{Ended, Subject};

const ANSWER: &[u8] = br#"{"id":42,"name":"Ada Lovelace","verbose":true}"#;

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
    Router::new().route("/users/{id}", get(user))
}

async fn user(Path(id): Path<u64>, Query(options): Query<Options>) -> Json<User> {
    Json(User {
        id,
        name: "Ada Lovelace",
        verbose: options.verbose,
    })
}

/// Where what a router's layers record goes.
pub(crate) trait Pipeline {
    /// Waits until everything recorded so far has left the process.
    fn flush(&mut self, runtime: &Runtime) -> Result<()>;
    /// Flushes and stops.
    fn end(&mut self, runtime: &Runtime) -> Result<Ended>;
}

/// Nothing is recorded.
struct Nowhere;

impl Pipeline for Nowhere {
    fn flush(&mut self, _: &Runtime) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Runtime) -> Result<Ended> {
        Ok(Ended::default())
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

/// Requests, one after the other, on a current-thread runtime.
pub(crate) struct Requests {
    runtime: Runtime,
    layered: Layered,
    traceparent: Option<HeaderValue>,
}

impl Requests {
    pub(crate) fn new(layered: Layered, caller: Caller) -> Result<Requests> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Requests {
            runtime,
            layered,
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

    fn end(&mut self) -> Result<Ended> {
        self.layered.pipeline.end(&self.runtime)
    }
}

async fn request(router: &mut Router, traceparent: Option<&HeaderValue>) -> Result<()> {
    const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static("/users/42?verbose=true");
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

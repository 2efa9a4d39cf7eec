//! The core as a tower layer.

use super::body::TrackedBody;
use super::edge::{Edge, ServerRequest, Trust, start_from};
use super::server::ServerSpan;
use super::sizes::{Counted, content_length};
use crate::Telemetry;
use crate::cores::{self, CoreId};
use axum::BoxError;
use axum::body::Body;
use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::routing::Route;
use bytes::Bytes;
use http::{HeaderName, Method, Response, StatusCode};
use http_body::Body as _;
use pin_project_lite::pin_project;
use std::any::TypeId;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// Writes the answer's trace, so that a client can ask for it.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Which answers carry a
/// [`traceresponse`](https://w3c.github.io/trace-context/#traceresponse-header) header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Traceresponse {
    /// Those of recorded requests that begin a trace here: a caller that has sent one knows it.
    #[default]
    SampledRoots,
    /// Those whose trace is recorded and can be looked up.
    Sampled,
    /// All: the id of a trace that is not recorded still finds its log lines.
    Always,
    /// None.
    Never,
}

impl Telemetry {
    /// A layer for `axum::Router::layer`: server span, metrics, context, `traceresponse`.
    #[must_use]
    pub fn server_layer(&self) -> ServerLayer {
        ServerLayer::new(self.edge())
    }
}

/// Wraps every request in a server span. Put it on with `axum::Router::layer`, last, so that it
/// sees every answer; routes that no `MatchedPath` names count as unmatched.
///
/// A service that it has wrapped does not keep its [`Telemetry`] working: keep a handle until
/// [`Telemetry::shutdown`].
#[derive(Debug, Clone)]
pub struct ServerLayer {
    edge: Edge,
    trust: Trust,
    answer: Traceresponse,
}

impl ServerLayer {
    pub(crate) fn new(edge: Edge) -> ServerLayer {
        ServerLayer {
            edge,
            trust: Trust::default(),
            answer: Traceresponse::default(),
        }
    }

    /// What callers' contexts are worth; by default they are parents.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> ServerLayer {
        self.trust = trust;
        self
    }

    /// Which answers name their trace; by default those whose callers cannot know it.
    #[must_use]
    pub fn traceresponse(mut self, answer: Traceresponse) -> ServerLayer {
        self.answer = answer;
        self
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> ServerService<S> {
        ServerService {
            inner,
            core: self.edge.core(),
            trust: self.trust,
            answer: self.answer,
        }
    }
}

/// What [`ServerLayer`] makes of a service.
#[derive(Debug, Clone)]
pub struct ServerService<S> {
    inner: S,
    core: CoreId,
    trust: Trust,
    answer: Traceresponse,
}

impl<S, R> Service<Request> for ServerService<S>
where
    S: Service<Request, Response = Response<R>> + 'static,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let extensions = request.extensions();
        let peer = || {
            extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|peer| peer.0)
        };
        let request_in = ServerRequest {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            peer: None,
            scheme: "http",
            route: extensions.get::<MatchedPath>().map(MatchedPath::as_str),
            trust: self.trust,
        };
        let span = cores::with(self.core, |local| start_from(local, &request_in, peer));
        let head_only = *request.method() == Method::HEAD;
        if let Some(counted) = span.as_ref().and_then(ServerSpan::counted) {
            count_body(&mut request, counted);
        }
        let answer = self.answer;
        // A route of axum's only makes a future; what else a service does belongs to the span.
        if TypeId::of::<S>() == TypeId::of::<Route>() {
            return ResponseFuture {
                // Large, and made where it stays.
                inner: self.inner.call(request),
                span,
                head_only,
                answer,
            };
        }
        let inner = {
            let _scope = span.as_ref().map(ServerSpan::scope);
            self.inner.call(request)
        };
        ResponseFuture {
            inner,
            span,
            head_only,
            answer,
        }
    }
}

/// Apart, so that the others' requests are not moved for it.
#[cold]
fn count_body(request: &mut Request, counted: Counted) {
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = counted.body(body);
}

pin_project! {
    /// The future of [`ServerService`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        span: Option<ServerSpan>,
        head_only: bool,
        answer: Traceresponse,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: http_body::Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Changed where it is: an answer is large, and moved often enough.
        let mut polled = {
            let _scope = this.span.as_ref().map(ServerSpan::scope);
            this.inner.poll(cx)
        }
        .map_ok(|response| response.map(Body::new));
        if let Poll::Ready(result) = &mut polled
            && let Some(mut span) = this.span.take()
        {
            match result {
                Ok(response) => follow(response, span, *this.head_only, *this.answer),
                Err(_) => span.set_error("service_error"),
            }
        }
        polled
    }
}

/// Tells the span of the answer, and the answer's body to end it.
fn follow(
    response: &mut Response<Body>,
    mut span: ServerSpan,
    head_only: bool,
    answer: Traceresponse,
) {
    let status = response.status();
    span.status(status);
    span.response_headers(response.headers());
    let names_trace = match answer {
        Traceresponse::SampledRoots => span.is_recorded() && span.begins_trace(),
        Traceresponse::Sampled => span.is_recorded(),
        Traceresponse::Always => true,
        Traceresponse::Never => false,
    };
    if names_trace {
        let value = span.traceresponse();
        response.headers_mut().insert(TRACERESPONSE, value);
    }
    let exact = response.body().size_hint().exact();
    let expected = if head_only || has_no_body(status) {
        Some(0)
    } else {
        exact.or_else(|| content_length(response.headers()))
    };
    let body = response.body_mut();
    *body = Body::new(TrackedBody {
        inner: std::mem::take(body),
        span: Some(span),
        expected,
        in_memory: exact.is_some(),
        sent: 0,
    });
}

/// The server sends no body with these, whatever the handler made.
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

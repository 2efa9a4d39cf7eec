//! The core as a tower layer.

use super::body::TrackedBody;
use super::edge::{Edge, ServerRequest, Trust};
use super::server::ServerSpan;
use super::sizes::{Counted, content_length};
use crate::Telemetry;
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
use std::task::{Context, Poll, ready};
use tower::{Layer, Service};

/// Writes the answer's trace, so that a client can ask for it.
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Which answers carry a
/// [`traceresponse`](https://w3c.github.io/trace-context/#traceresponse-header) header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Traceresponse {
    /// Those whose trace is recorded and can be looked up.
    #[default]
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

    /// Which answers name their trace; by default those of recorded requests.
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
            layer: self.clone(),
        }
    }
}

/// What [`ServerLayer`] makes of a service.
#[derive(Debug, Clone)]
pub struct ServerService<S> {
    inner: S,
    layer: ServerLayer,
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
            trust: self.layer.trust,
        };
        let span = self.layer.edge.start_from(&request_in, peer);
        let head_only = *request.method() == Method::HEAD;
        if let Some(counted) = span.counted() {
            count_body(&mut request, counted);
        }
        let answer = self.layer.answer;
        // A route of axum's only makes a future; what else a service does belongs to the span.
        if TypeId::of::<S>() == TypeId::of::<Route>() {
            return ResponseFuture {
                // Large, and made where it stays.
                inner: self.inner.call(request),
                span: Some(span),
                head_only,
                answer,
            };
        }
        let inner = {
            let _scope = span.scope();
            self.inner.call(request)
        };
        ResponseFuture {
            inner,
            span: Some(span),
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
        let polled = {
            let _scope = this.span.as_ref().map(ServerSpan::scope);
            this.inner.poll(cx)
        };
        let result = ready!(polled);
        let mut span = this.span.take();
        let mut response = match result {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                if let Some(span) = &mut span {
                    span.set_error("service_error");
                }
                return Poll::Ready(Err(error));
            }
        };
        let status = response.status();
        if let Some(span) = &mut span {
            span.status(status);
            span.response_headers(response.headers());
            let names_trace = match this.answer {
                Traceresponse::Sampled => span.is_recorded(),
                Traceresponse::Always => true,
                Traceresponse::Never => false,
            };
            if names_trace {
                response
                    .headers_mut()
                    .insert(TRACERESPONSE, span.traceresponse());
            }
        }
        let exact = response.body().size_hint().exact();
        let expected = if *this.head_only || has_no_body(status) {
            Some(0)
        } else {
            exact.or_else(|| content_length(response.headers()))
        };
        // In its place: an answer is large for what is done here.
        let body = response.body_mut();
        *body = Body::new(TrackedBody {
            inner: std::mem::take(body),
            span,
            expected,
            in_memory: exact.is_some(),
            sent: 0,
        });
        Poll::Ready(Ok(response))
    }
}

/// The server sends no body with these, whatever the handler made.
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}

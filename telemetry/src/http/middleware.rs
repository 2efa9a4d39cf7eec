//! Client spans for reqwest.

use super::client::{ClientRequest, ClientSpan};
use super::edge::Edge;
use crate::Telemetry;
use crate::context::current;
use async_trait::async_trait;
use http::Extensions;
use http_body::Body;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next};
use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};

impl Telemetry {
    /// An HTTP client whose requests are client spans and carry the current context.
    #[must_use]
    pub fn client(&self, inner: reqwest::Client) -> reqwest_middleware::ClientWithMiddleware {
        reqwest_middleware::ClientBuilder::new(inner)
            .with(self.client_middleware())
            .build()
    }

    /// The same as one link of a longer chain.
    #[must_use]
    pub fn client_middleware(&self) -> ClientMiddleware {
        ClientMiddleware::new(self.edge())
    }
}

/// The link of a `reqwest_middleware` chain that makes a client span of each attempt, and sends
/// the context along. Put it on after whatever retries.
///
/// A span ends when the head of the answer is there. Redirects that reqwest itself follows happen
/// beneath the chain: they are one span, with the URL that was asked for first and the status that
/// came last, as the
/// [convention](https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span)
/// has it where attempts cannot be seen. For a span of each, tell reqwest to follow none
/// (`redirect::Policy::none`) and resend with [`ResendCount`].
///
/// What `error.type` can be, beside the status codes from 400 on: `connection_refused`,
/// `connection_reset`, `timeout`, `connect`, `body`, `redirect`, `request`, `middleware` (a later
/// link of the chain failed), `cancelled` (the caller no longer waited), and whatever another link
/// says by an [`ErrorType`].
#[derive(Debug, Clone)]
pub struct ClientMiddleware {
    edge: Edge,
}

/// Put into a request's extensions by whatever retries: 0 for the first attempt, counting up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResendCount(pub u32);

/// Put into a request's extensions by whoever knows the path's form, such as `/orders/{id}`: names
/// the span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlTemplate(pub &'static str);

/// Put into a request's extensions by a link that knows better than an error, or its absence, can
/// tell why an attempt fails: one that refuses to send it, injects a fault, or no longer waits.
/// What is set before the attempt ends without an answer is the span's `error.type`.
///
/// Clones share what is set; the first word stays.
#[derive(Debug, Clone, Default)]
pub struct ErrorType(Arc<OnceLock<&'static str>>);

impl ErrorType {
    /// Says why, in a word from a closed set.
    pub fn set(&self, error_type: &'static str) {
        // Whoever was first saw the cause; the rest is its consequence.
        let _ = self.0.set(error_type);
    }
}

/// The span of an attempt, which may be dropped at any await.
struct Attempt {
    span: Option<ClientSpan>,
    said: ErrorType,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let (Some(span), Some(said)) = (self.span.take(), self.said.0.get()) {
            span.finish(Err(said));
        }
    }
}

impl ClientMiddleware {
    pub(crate) fn new(edge: Edge) -> ClientMiddleware {
        ClientMiddleware { edge }
    }
}

#[async_trait]
impl Middleware for ClientMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let mut span = self.start(&request, extensions);
        span.inject(request.headers_mut());
        span.request_headers(request.headers());
        let body = request.body();
        let body = body.map_or(Some(0), |body| body.size_hint().exact());
        if let Some(bytes) = body {
            span.request_body(bytes);
        }
        let current = span.current().clone();
        let otel = current.to_otel_child();
        let mut attempt = Attempt {
            span: Some(span),
            said: extensions.get().cloned().unwrap_or_default(),
        };
        let result = current::in_context(current, otel, next.run(request, extensions)).await;
        let Some(mut span) = attempt.span.take() else {
            return result;
        };
        match &result {
            Ok(response) => {
                span.response(response.version(), response.headers());
                if let Some(peer) = response.remote_addr() {
                    span.peer(peer);
                }
                if let Some(bytes) = response.content_length() {
                    span.response_body(bytes);
                }
                span.finish(Ok(response.status()));
            }
            Err(error) => {
                let said = attempt.said.0.get().copied();
                span.finish(Err(said.unwrap_or_else(|| error_type(error))));
            }
        }
        result
    }
}

impl ClientMiddleware {
    fn start(&self, request: &Request, extensions: &Extensions) -> ClientSpan {
        let url = request.url();
        // A URL of reqwest is a URI as well, unless it is longer than one may be.
        let uri = url.as_str().parse().unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        let resend = extensions.get::<ResendCount>().copied().unwrap_or_default();
        let template = extensions.get::<UrlTemplate>().map(|template| template.0);
        self.edge.client_named(
            &ClientRequest {
                method: request.method(),
                server_address: host.trim_start_matches('[').trim_end_matches(']'),
                server_port: url.port_or_known_default().unwrap_or(0),
                uri: &uri,
                resend_count: resend.0,
            },
            template,
        )
    }
}

/// `error.type`, a closed set.
fn error_type(error: &Error) -> &'static str {
    let Error::Reqwest(error) = error else {
        return "middleware";
    };
    if error.is_timeout() {
        return "timeout";
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            match io.kind() {
                ErrorKind::ConnectionRefused => return "connection_refused",
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => return "connection_reset",
                ErrorKind::TimedOut => return "timeout",
                _ => {}
            }
        }
        source = cause.source();
    }
    if error.is_connect() {
        "connect"
    } else if error.is_body() || error.is_decode() {
        "body"
    } else if error.is_redirect() {
        "redirect"
    } else {
        "request"
    }
}

//! The span of a request that goes out.

use super::semconv::{self, Method};
use super::url;
use crate::clock;
use crate::context::SpanContext;
use crate::context::current::Current;
use crate::metrics::{ClientLabels, Exemplar};
use crate::span::attributes::Attributes;
use crate::span::encode::{self, Kind, Parent};
use crate::span::limits::Limits;
use http::{HeaderMap, StatusCode, Uri};
use std::time::Instant;

/// A request as it goes out.
#[derive(Debug, Clone, Copy)]
pub struct ClientRequest<'a> {
    /// As on the wire.
    pub method: &'a http::Method,
    /// Who is called: a service's name or a host.
    pub server_address: &'a str,
    /// The port that is called.
    pub server_port: u16,
    /// As on the wire; with or without the authority.
    pub uri: &'a Uri,
    /// 0 for the first attempt, counting up.
    pub resend_count: u32,
}

/// The span of a request that goes out, and its metrics. Dropped unfinished it counts as
/// cancelled.
#[derive(Debug)]
pub struct ClientSpan {
    current: Current,
    parent: Parent,
    start: Instant,
    method: Method,
    address: Box<str>,
    port: u16,
    /// With the name; `None` when nothing is recorded.
    attributes: Option<Attributes>,
    outcome: Option<Result<StatusCode, &'static str>>,
}

impl ClientSpan {
    /// `template` is the low-cardinality form of the path, such as `/orders/{id}`.
    pub(super) fn new(
        current: Current,
        parent: Parent,
        request: &ClientRequest<'_>,
        template: Option<&str>,
    ) -> ClientSpan {
        let method = current.core.method(request.method);
        let attributes = current.is_recording().then(|| {
            let mut out = Attributes::take();
            describe(&mut out, current.core.limits(), request, method, template);
            out
        });
        ClientSpan {
            current,
            parent,
            start: Instant::now(),
            method,
            address: request.server_address.into(),
            port: request.server_port,
            attributes,
            outcome: None,
        }
    }

    /// The span's ids.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        self.current.span_context()
    }

    pub(super) fn current(&self) -> &Current {
        &self.current
    }

    /// Writes the context, and the request's baggage, into the headers that go out.
    pub fn inject(&self, headers: &mut HeaderMap) {
        let propagators = self.current.core.propagators();
        propagators.inject(&self.context(), &self.current.baggage(), headers);
    }

    /// Adds an attribute; nothing happens when the span is not recorded.
    pub fn set_attribute(&mut self, key: &str, value: impl Into<opentelemetry::Value>) {
        if let Some(out) = &mut self.attributes {
            out.set(self.current.core.limits(), key, &value.into());
        }
    }

    /// Ends the span with the answer's status, or what went wrong in a word from a closed set
    /// (`error.type`).
    pub fn finish(mut self, outcome: Result<StatusCode, &'static str>) {
        self.outcome = Some(outcome);
    }

    fn end(&mut self) {
        let end = Instant::now();
        let outcome = self.outcome.unwrap_or(Err("cancelled"));
        let status = outcome.map_or(0, |status| status.as_u16());
        let digits = semconv::digits(status);
        let error = match outcome {
            Err(error) => Some(error),
            Ok(_) if status >= 400 => std::str::from_utf8(&digits).ok(),
            Ok(_) => None,
        };
        let core = &self.current.core;
        let labels = ClientLabels {
            method: self.method,
            server_address: &self.address,
            server_port: self.port,
            status,
            error_type: error,
        };
        let duration = end.saturating_duration_since(self.start);
        let seconds = duration.as_secs_f64();
        let end = clock::wall(end);
        let sampled = self.attributes.is_some();
        let exemplar = core.metrics.takes_exemplar(sampled).then_some(Exemplar {
            trace_id: self.current.trace_id.0,
            span_id: self.current.span_id.0,
            value: seconds,
            at_nanos: end,
        });
        let metrics = &core.metrics.client;
        metrics.record(&labels, seconds, exemplar.as_ref());
        let Some(mut attributes) = self.attributes.take() else {
            return;
        };
        if status != 0 {
            let status = i64::from(status);
            attributes.push(core.limits(), "http.response.status_code", status);
        }
        if let Some(error) = error {
            attributes.push(core.limits(), "error.type", error);
        }
        core.record(|out| {
            encode::opening(out, &self.current, self.parent, end, duration);
            encode::kind(out, Kind::Client);
            attributes.finish(out);
            if error.is_some() {
                encode::error_status(out, "");
            }
        });
    }
}

impl Drop for ClientSpan {
    fn drop(&mut self) {
        self.end();
    }
}

fn describe(
    out: &mut Attributes,
    limits: &Limits,
    request: &ClientRequest<'_>,
    method: Method,
    template: Option<&str>,
) {
    out.field(|out| match template {
        Some(template) => encode::name(out, &format!("{} {template}", method.in_name())),
        None => encode::name(out, method.in_name()),
    });
    let mut text = |key: &str, value: &str| out.push(limits, key, value);
    text("http.request.method", method.as_str());
    if method == Method::Other {
        text("http.request.method_original", request.method.as_str());
    }
    if let Some(template) = template {
        text("url.template", template);
    }
    let path = request
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let scheme = request.uri.scheme_str().unwrap_or("http");
    let (host, port) = request
        .uri
        .authority()
        .and_then(|authority| url::host_port(authority.as_str()))
        .map_or(
            (request.server_address, Some(request.server_port)),
            |(host, port)| (host, port),
        );
    let port = port.unwrap_or(semconv::Scheme::of(scheme).port());
    text("url.full", &url::full(scheme, host, port, path));
    text("server.address", request.server_address);
    out.push(limits, "server.port", i64::from(request.server_port));
    if request.resend_count > 0 {
        let count = i64::from(request.resend_count);
        out.push(limits, "http.request.resend_count", count);
    }
}

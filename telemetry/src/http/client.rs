//! The span of a request that goes out.

use super::methods::Method;
use super::semconv::{self, Version};
use super::sizes;
use super::url;
use crate::clock::{self, Instant};
use crate::context::SpanContext;
use crate::context::current::Current;
use crate::core::Core;
use crate::cores::{self, Local};
use crate::metrics::{BodySizes, ClientLabels, Exemplar, Finished};
use crate::span::attributes::Attributes;
use crate::span::encode::{self, Kind, Parent};
use crate::span::pool;
use http::{HeaderMap, StatusCode, Uri};
use std::net::SocketAddr;

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
///
/// It is to end when the head of the answer is there: how long the caller takes to read the body
/// says nothing about the callee.
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
    /// Of the answer.
    version: Option<Version>,
    sizes: BodySizes,
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
        let method = current.core.http.methods.of(request.method);
        let attributes = current.is_recording().then(|| {
            let mut out = Attributes::take();
            describe(&mut out, &current.core, request, method, template);
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
            version: None,
            sizes: BodySizes::default(),
            outcome: None,
        }
    }

    /// The span's ids.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        self.current.span_context()
    }

    #[cfg(feature = "reqwest")]
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

    /// The headers that go out: those are recorded that
    /// [`Settings::capture_request_headers`](crate::Settings::capture_request_headers) names.
    pub fn request_headers(&mut self, headers: &HeaderMap) {
        let core = &self.current.core;
        if let Some(out) = &mut self.attributes {
            let named = &core.http.request_headers;
            named.record(out, core.limits(), headers);
        }
    }

    /// The protocol's version and the headers of the answer, of which those are recorded that
    /// [`Settings::capture_response_headers`](crate::Settings::capture_response_headers) names.
    pub fn response(&mut self, version: http::Version, headers: &HeaderMap) {
        let version = Version::of(version);
        self.version = Some(version);
        let core = &self.current.core;
        if let Some(out) = &mut self.attributes {
            out.push(core.limits(), "network.protocol.version", version.as_str());
            let named = &core.http.response_headers;
            named.record(out, core.limits(), headers);
        }
    }

    /// The other end of the connection.
    pub fn peer(&mut self, peer: SocketAddr) {
        let limits = self.current.core.limits();
        if let Some(out) = &mut self.attributes {
            let mut address = pool::Text::default();
            address.write(peer.ip());
            out.push(limits, "network.peer.address", address.as_str());
            out.push(limits, "network.peer.port", i64::from(peer.port()));
        }
    }

    /// The request's body has so many bytes. Unless
    /// [`Settings::body_sizes`](crate::Settings::body_sizes) asks for it, nothing happens.
    pub fn request_body(&mut self, bytes: u64) {
        self.sizes.request = Some(bytes);
    }

    /// The answer's body has so many bytes; as [`request_body`](Self::request_body).
    pub fn response_body(&mut self, bytes: u64) {
        self.sizes.response = Some(bytes);
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
            version: self.version,
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
        let sizes = core.http.body_sizes.then_some(&self.sizes);
        let finished = Finished {
            seconds,
            exemplar: exemplar.as_ref(),
            sizes,
        };
        let client = &core.metrics.client;
        let record = |local: Option<&Local>| {
            client.record(local.map(|local| &local.client), &labels, finished);
        };
        cores::with(core.id(), |local| record(Some(local))).unwrap_or_else(|| record(None));
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
        if let Some(sizes) = sizes {
            sizes::describe(&mut attributes, core.limits(), sizes);
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
    core: &Core,
    request: &ClientRequest<'_>,
    method: Method,
    template: Option<&str>,
) {
    let (methods, limits) = (&core.http.methods, core.limits());
    let name = methods.in_span_name(method);
    out.field(|out| match template {
        Some(template) => encode::name(out, &format!("{name} {template}")),
        None => encode::name(out, name),
    });
    let mut text = |key: &str, value: &str| out.push(limits, key, value);
    text("http.request.method", methods.name(method));
    if method == Method::OTHER {
        text("http.request.method_original", request.method.as_str());
    }
    if let Some(template) = template {
        text("url.template", template);
    }
    let full = url::full(request.uri, request.server_address, request.server_port);
    text("url.full", &full);
    text("server.address", request.server_address);
    out.push(limits, "server.port", i64::from(request.server_port));
    if request.resend_count > 0 {
        let count = i64::from(request.resend_count);
        out.push(limits, "http.request.resend_count", count);
    }
}

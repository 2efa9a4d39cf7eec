//! Where requests enter and leave a service.

use super::client::{ClientRequest, ClientSpan};
use super::head::Head;
use super::methods::Method;
use super::origin::{self, Origin};
use super::scan::Scan;
use super::semconv::{Scheme, Version};
use super::server::{Form, ServerSpan};
use super::sizes::Sizes;
use super::url;
use crate::context::current::{self, Carried, Current};
use crate::context::{
    self, Baggage, Propagators, SpanContext, SpanId, TraceFlags, TraceId, parse_traceparent,
};
use crate::core::{Alive, Core};
#[cfg(feature = "axum")]
use crate::cores::CoreId;
use crate::cores::{self, Local};
use crate::sampling::Subject;
use crate::span::attributes::Attributes;
use crate::span::encode::{self, Parent};
use crate::span::limits::Limits;
use crate::span::pool;
use http::{HeaderMap, Uri};
use std::hint::cold_path;
use std::net::SocketAddr;
use std::sync::Arc;

/// What a caller's context is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// The caller is one of us: its trace goes on here, its decision to record is kept, what it
    /// says about forwarding is believed.
    #[default]
    Parent,
    /// The caller is anyone: a trace begins here, the caller's becomes a link and decides nothing.
    Link,
}

/// A request as it came in.
#[derive(Debug, Clone, Copy)]
pub struct ServerRequest<'a> {
    /// As on the wire.
    pub method: &'a http::Method,
    /// As on the wire.
    pub uri: &'a Uri,
    /// The protocol's version.
    pub version: http::Version,
    /// As on the wire.
    pub headers: &'a HeaderMap,
    /// The other end of the connection.
    pub peer: Option<SocketAddr>,
    /// Of the connection, if neither the URI nor a trusted proxy says it: `http` or `https`.
    pub scheme: &'a str,
    /// The template that matched, such as `/orders/{id}`; never the path itself.
    pub route: Option<&'a str>,
    /// What the caller's context is worth.
    pub trust: Trust,
}

/// Makes server and client spans for one service. Cheap to clone; needs no runtime.
#[derive(Debug, Clone)]
pub struct Edge {
    core: Arc<Alive>,
}

impl Edge {
    pub(crate) fn new(core: Arc<Alive>) -> Edge {
        Edge { core }
    }

    /// Begins the span of a request that came in.
    #[must_use]
    pub fn start(&self, request: &ServerRequest<'_>) -> ServerSpan {
        let peer = || request.peer;
        let started = cores::with(self.core.id(), |local| start_from(local, request, peer));
        started.unwrap_or_else(|| self.start_elsewhere(request))
    }

    /// On a thread that is going away.
    #[cold]
    fn start_elsewhere(&self, request: &ServerRequest<'_>) -> ServerSpan {
        start_from_more(
            &Local::new(&self.core),
            request,
            &Scan::of(request.headers),
            || request.peer,
        )
    }

    #[cfg(feature = "axum")]
    pub(super) fn core(&self) -> CoreId {
        self.core.id()
    }

    /// Begins the span of a request that goes out from the current context; without one, a trace
    /// begins.
    #[must_use]
    pub fn client(&self, request: &ClientRequest<'_>) -> ClientSpan {
        self.client_named(request, None)
    }

    pub(super) fn client_named(
        &self,
        request: &ClientRequest<'_>,
        template: Option<&str>,
    ) -> ClientSpan {
        let parent = current::get().map(|current| (current.span_context(), current.carried));
        let (parent, carried) = match parent {
            Some((context, carried)) => (Some(context), carried),
            // A span of the OpenTelemetry API outside of any request of ours.
            None => (context::current(), None),
        };
        client_of(&self.core, parent.as_ref(), carried, request, template)
    }
}

/// Begins the span of a request that came in; its peer has to be looked for.
#[inline]
pub(super) fn start_from(
    local: &Local,
    request: &ServerRequest<'_>,
    peer: impl FnOnce() -> Option<SocketAddr>,
) -> ServerSpan {
    let scan = Scan::of(request.headers);
    let is_usual = local.core.propagators() == Propagators::W3C && request.trust == Trust::Parent;
    if is_usual && !scan.has_tracestate && !scan.has_baggage {
        let origins = Origins {
            parent: parent(&scan),
            ..Origins::default()
        };
        return start_within(local, request, &scan, origins, peer);
    }
    start_from_more(local, request, &scan, peer)
}

/// The same where the caller says more, or says it otherwise, or is not believed.
#[inline(never)]
fn start_from_more(
    local: &Local,
    request: &ServerRequest<'_>,
    scan: &Scan<'_>,
    peer: impl FnOnce() -> Option<SocketAddr>,
) -> ServerSpan {
    let origins = origins(&local.core, request, scan);
    start_within(local, request, scan, origins, peer)
}

#[inline(always)]
fn start_within(
    local: &Local,
    request: &ServerRequest<'_>,
    scan: &Scan<'_>,
    origins: Origins,
    peer: impl FnOnce() -> Option<SocketAddr>,
) -> ServerSpan {
    let core = &local.core;
    let Origins {
        parent,
        link,
        carried,
    } = origins;
    let (trace_id, flags, parent_span) = match &parent {
        Some(parent) => (
            parent.trace_id,
            parent.flags,
            Parent {
                span_id: parent.span_id,
                remote: parent.is_valid(),
            },
        ),
        None => (TraceId::random(), TraceFlags::RANDOM, Parent::NONE),
    };
    let decision = core.sample(trace_id, parent.as_ref(), || Subject {
        route: request.route.unwrap_or_else(|| request.uri.path()),
        method: request.method.as_str(),
    });
    let flags = flags.with_sampled(decision.sampled);
    let carried = match decision.tracestate {
        None => carried,
        Some(state) => Carried::with_tracestate(carried, state),
    };
    let origin = match request.trust {
        Trust::Parent if scan.is_forwarded => origin::forwarded(scan),
        _ => Origin::default(),
    };
    let scheme = origin.scheme.unwrap_or_else(|| match request.uri.scheme() {
        None => Scheme::of(request.scheme),
        Some(named) => Scheme::of_uri(named),
    });
    let form = Form {
        head: local.head(request.route.unwrap_or_default()),
        method: core.http.methods.of(request.method),
        scheme,
        version: Version::of(request.version),
    };
    let recorded = decision.sampled && core.is_recording();
    let attributes = recorded.then(|| {
        let mut out = describe(core, request, scan, form, &origin, peer());
        if let Some(link) = &link {
            out.field(|out| encode::link(out, link, true));
        }
        out
    });
    let sizes = core.http.body_sizes;
    let sizes = sizes.then(|| sizes_of(request));
    let ids = (trace_id, SpanId::random(), flags);
    ServerSpan::new(local, ids, carried, parent_span, form, attributes, sizes)
}

/// What the caller's context is to this request.
fn origins(core: &Core, request: &ServerRequest<'_>, scan: &Scan<'_>) -> Origins {
    let (caller, baggage) = caller(core, request, scan);
    match request.trust {
        Trust::Link => Origins {
            parent: None,
            link: caller.filter(SpanContext::is_valid),
            carried: None,
        },
        Trust::Parent => {
            let state = caller.as_ref().map(|caller| caller.tracestate.clone());
            Origins {
                parent: caller,
                link: None,
                carried: Carried::new(state.unwrap_or_default(), baggage),
            }
        }
    }
}

/// What the caller says of itself. In the usual formats the scan has found it already.
fn caller(
    core: &Core,
    request: &ServerRequest<'_>,
    scan: &Scan<'_>,
) -> (Option<SpanContext>, Baggage) {
    let propagators = core.propagators();
    let headers = request.headers;
    if propagators != Propagators::W3C {
        return propagators.extract(headers);
    }
    let mut caller = parent(scan);
    if let Some(caller) = &mut caller
        && scan.has_tracestate
    {
        caller.tracestate = context::extract_tracestate(headers);
    }
    let baggage = if scan.has_baggage && request.trust == Trust::Parent {
        context::extract_baggage(headers)
    } else {
        Baggage::EMPTY
    };
    (caller, baggage)
}

/// The context in the only `traceparent`.
#[inline]
fn parent(scan: &Scan<'_>) -> Option<SpanContext> {
    let value = scan.traceparent.filter(|_| scan.traceparents == 1)?;
    parse_traceparent(value.as_bytes())
}

#[cold]
fn sizes_of(request: &ServerRequest<'_>) -> Box<Sizes> {
    Box::new(Sizes::of(request.headers))
}

/// The span of a request that goes out within another span, or begins a trace.
pub(super) fn client_of(
    core: &Arc<Core>,
    parent: Option<&SpanContext>,
    carried: Option<Arc<Carried>>,
    request: &ClientRequest<'_>,
    template: Option<&str>,
) -> ClientSpan {
    let subject = || Subject {
        route: template.unwrap_or(request.uri.path()),
        method: request.method.as_str(),
    };
    let (trace_id, flags, decision) = match parent {
        Some(parent) => (
            parent.trace_id,
            parent.flags,
            core.sample_within(parent, subject),
        ),
        None => {
            let trace_id = TraceId::random();
            let decision = core.sample(trace_id, None, subject);
            (trace_id, TraceFlags::RANDOM, decision)
        }
    };
    let current = Current {
        trace_id,
        span_id: SpanId::random(),
        flags: flags.with_sampled(decision.sampled),
        core: Arc::clone(core),
        carried: match decision.tracestate {
            None => carried,
            Some(state) => Carried::with_tracestate(carried, state),
        },
    };
    let span_id = parent.map_or(SpanId(0), |parent| parent.span_id);
    ClientSpan::new(
        current,
        Parent {
            span_id,
            remote: false,
        },
        request,
        template,
    )
}

/// Where a request's trace comes from.
#[derive(Default)]
struct Origins {
    parent: Option<SpanContext>,
    link: Option<SpanContext>,
    carried: Option<Arc<Carried>>,
}

/// The attributes that are known when a request comes in, but for those of its head.
fn describe(
    core: &Core,
    request: &ServerRequest<'_>,
    scan: &Scan<'_>,
    form: Form,
    origin: &Origin<'_>,
    peer: Option<SocketAddr>,
) -> Attributes {
    let limits = core.limits();
    let mut out = Attributes::after(limits, Head::ATTRIBUTES);
    if form.method == Method::OTHER {
        cold_path();
        let method = request.method.as_str();
        out.push(limits, "http.request.method_original", method);
    }
    out.text(limits, "url.path", request.uri.path());
    if let Some(query) = request.uri.query() {
        out.text(limits, "url.query", &url::redact(query));
    }
    if let Some(agent) = origin::text(scan.user_agent) {
        out.text(limits, "user_agent.original", agent);
    }
    if let Some(client) = origin.client {
        out.text(limits, "client.address", client);
    }
    let host = origin.host.or_else(|| origin::direct(request.uri, scan));
    if let Some((host, port)) = host {
        out.text(limits, "server.address", host);
        out.number(limits, "server.port", port.unwrap_or(form.scheme.port()));
    }
    if let Some(peer) = peer {
        describe_peer(&mut out, limits, peer, origin.client.is_none());
    }
    let headers = &core.http.request_headers;
    headers.record(&mut out, limits, request.headers);
    out
}

#[inline(never)]
fn describe_peer(out: &mut Attributes, limits: &Limits, peer: SocketAddr, is_client: bool) {
    let mut address = pool::Text::default();
    address.write(peer.ip());
    if is_client {
        out.push(limits, "client.address", address.as_str());
    }
    out.push(limits, "network.peer.address", address.as_str());
    out.number(limits, "network.peer.port", peer.port());
}

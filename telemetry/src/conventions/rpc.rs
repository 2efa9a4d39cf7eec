//! Remote procedure calls, by the
//! [conventions for RPC](https://opentelemetry.io/docs/specs/semconv/rpc/).
//!
//! ```no_run
//! # use std::collections::BTreeMap;
//! use telemetry::rpc::{Method, System};
//! # fn run(telemetry: &telemetry::Telemetry) {
//! let rpc = telemetry.rpc(System::GRPC);
//! let mut metadata = BTreeMap::new();
//! let call = rpc.client(Method::Known("city.Orders/Place")).server("orders", 8080).start();
//! call.inject(&mut metadata);
//! call.finish("OK");
//!
//! let call = rpc.server(Method::Known("city.Orders/Place")).start(&metadata);
//! call.finish("NOT_FOUND");
//! # }
//! ```

use super::server::Server;
use crate::context::{self, Baggage, Carrier, CarrierMut, InCurrent, SpanContext};
use crate::core::{Alive, Core};
use crate::metrics::LabelValue;
use crate::span::encode::Kind;
use crate::span::handle::{Span, SpanBuilder};
use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

/// The method of which nothing is known.
const OTHER: &str = "_OTHER";

/// An RPC system: the attribute
/// [`rpc.system.name`](https://opentelemetry.io/docs/specs/semconv/registry/attributes/rpc/#rpc-system-name).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    name: &'static str,
    /// The status of a call that went well.
    ok: &'static str,
    /// What counts as an error of a server; `None` if all but `ok` does.
    server_errors: Option<&'static [&'static str]>,
}

impl System {
    /// gRPC. Of its status codes a client takes all but `OK` for errors, a server
    /// [six](https://opentelemetry.io/docs/specs/semconv/rpc/grpc/).
    pub const GRPC: System = System {
        name: "grpc",
        ok: "OK",
        server_errors: Some(&[
            "DATA_LOSS",
            "DEADLINE_EXCEEDED",
            "INTERNAL",
            "UNAVAILABLE",
            "UNIMPLEMENTED",
            "UNKNOWN",
        ]),
    };
    /// Connect. A call without an error has no code.
    pub const CONNECT: System = System::named("connectrpc", "");
    /// JSON-RPC. An answer without an error object has no code.
    pub const JSON_RPC: System = System::named("jsonrpc", "");
    /// Apache Dubbo.
    pub const DUBBO: System = System::named("dubbo", "OK");

    /// Another system, by its own name in lower case; `ok` is the status of a call that went well,
    /// and every other is an error.
    #[must_use]
    pub const fn named(name: &'static str, ok: &'static str) -> System {
        System {
            name,
            ok,
            server_errors: None,
        }
    }

    /// The name as it is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    fn is_error(self, side: Side, status: &str) -> bool {
        match (side, self.server_errors) {
            (Side::Server, Some(errors)) => errors.contains(&status),
            _ => status != self.ok,
        }
    }
}

/// A method with its service: `city.Orders/Place`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method<'a> {
    /// One that the program declares.
    Known(&'static str),
    /// One that a caller named and nobody knows: it is `_OTHER` to metrics, and names no span.
    Unknown(&'a str),
}

impl Method<'_> {
    fn known(self) -> &'static str {
        match self {
            Method::Known(name) => name,
            Method::Unknown(_) => OTHER,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// Calls by one system: see [`Telemetry::rpc`](crate::Telemetry::rpc). Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Rpc {
    core: Arc<Alive>,
    system: System,
}

impl Rpc {
    pub(crate) fn new(core: &Arc<Alive>, system: System) -> Rpc {
        Rpc {
            core: Arc::clone(core),
            system,
        }
    }

    /// A call that goes out.
    pub fn client<'a>(&'a self, method: Method<'a>) -> ClientBuilder<'a> {
        ClientBuilder {
            rpc: self,
            method,
            server: Server::default(),
        }
    }

    /// A call that came in.
    pub fn server<'a>(&'a self, method: Method<'a>) -> ServerBuilder<'a> {
        ServerBuilder {
            rpc: self,
            method,
            server: Server::default(),
        }
    }

    fn start(&self, side: Side, method: Method<'_>, server: Server, from: Option<From>) -> Call {
        let name = match method {
            Method::Known(name) => name,
            Method::Unknown(_) => self.system.name,
        };
        let mut builder = SpanBuilder::new(&self.core, Cow::Borrowed(name)).kind(match side {
            Side::Client => Kind::Client,
            Side::Server => Kind::Server,
        });
        let (parent, baggage) = from.unwrap_or_default();
        if let Some(parent) = &parent {
            builder = builder.remote_parent(parent);
        }
        if side == Side::Server {
            builder = builder.baggage(baggage);
        }
        let mut span = builder.start();
        if span.is_recording() {
            span.push("rpc.system.name", self.system.name);
            span.push("rpc.method", method.known());
            if let Method::Unknown(original) = method {
                span.push("rpc.method_original", original);
            }
            server.describe(&mut span);
        }
        Call {
            core: Arc::clone(&self.core),
            system: self.system,
            side,
            method: method.known(),
            server,
            span,
            ended: false,
        }
    }
}

/// What came with a call.
type From = (Option<SpanContext>, Baggage);

/// A call that is about to go out: see [`Rpc::client`].
#[derive(Debug)]
#[must_use = "a call begins with `start`"]
pub struct ClientBuilder<'a> {
    rpc: &'a Rpc,
    method: Method<'a>,
    server: Server,
}

impl ClientBuilder<'_> {
    /// Who is called: `server.address` and `server.port`.
    pub fn server(mut self, address: &str, port: u16) -> Self {
        self.server = Server::new(address, port);
        self
    }

    /// Begins the call, as a child of the current span.
    pub fn start(self) -> Call {
        self.rpc.start(Side::Client, self.method, self.server, None)
    }
}

/// A call that came in: see [`Rpc::server`].
#[derive(Debug)]
#[must_use = "a call begins with `start`"]
pub struct ServerBuilder<'a> {
    rpc: &'a Rpc,
    method: Method<'a>,
    server: Server,
}

impl ServerBuilder<'_> {
    /// Under which address the caller knows this service: `server.address` and `server.port`.
    pub fn server(mut self, address: &str, port: u16) -> Self {
        self.server = Server::new(address, port);
        self
    }

    /// Begins the call. Its span continues the trace whose context the metadata carries.
    pub fn start(self, metadata: &impl Carrier) -> Call {
        let from = self.rpc.core.propagators().extract(metadata);
        self.rpc
            .start(Side::Server, self.method, self.server, Some(from))
    }
}

/// A call under way: its span, and `rpc.client.call.duration` or `rpc.server.call.duration` once it
/// ends. Dropped before it is told how it went, it counts as `cancelled`.
#[derive(Debug)]
pub struct Call {
    core: Arc<Core>,
    system: System,
    side: Side,
    method: &'static str,
    server: Server,
    span: Span,
    ended: bool,
}

impl Call {
    /// The span, for attributes beyond the convention's.
    pub fn span(&mut self) -> &mut Span {
        &mut self.span
    }

    /// Runs a future with the call's span as the current one.
    pub fn in_scope<F: Future>(&self, future: F) -> InCurrent<F> {
        self.span.in_scope(future)
    }

    /// Writes the context and the current baggage into the metadata that goes out.
    pub fn inject(&self, metadata: &mut impl CarrierMut) {
        let baggage = context::baggage();
        let propagators = self.core.propagators();
        propagators.inject(&self.span.context(), &baggage, metadata);
    }

    /// The call ended with a status: `rpc.response.status_code`, which is `error.type` too where the
    /// system and the side take it for an error. Empty if there is none.
    pub fn finish(mut self, status: &str) {
        let failed = self.system.is_error(self.side, status);
        self.end(status, failed.then_some(status));
    }

    /// The call failed without a status: `error.type`, a word from a closed set.
    pub fn fail(mut self, error_type: &str) {
        self.end("", Some(error_type));
    }

    fn end(&mut self, status: &str, error: Option<&str>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if !status.is_empty() {
            self.span.push("rpc.response.status_code", status);
        }
        if let Some(error) = error {
            self.span.set_error(error);
        }
        let (seconds, exemplar) = self.span.measure();
        let work = &self.core.metrics.work;
        // A server's own address is the caller's to choose.
        let [address, port] = match self.side {
            Side::Client => self.server.labels(),
            Side::Server => [LabelValue::Static(""), LabelValue::Static("")],
        };
        let labels = [
            self.system.name.into(),
            self.method.into(),
            work.word(Some(status)),
            address,
            port,
            work.word(error),
        ];
        let histogram = match self.side {
            Side::Client => &work.rpc_client,
            Side::Server => &work.rpc_server,
        };
        histogram.record(&labels, seconds, exemplar);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end("", Some("cancelled"));
    }
}

//! Spans made by hand.

use super::attributes::Attributes;
use super::body::{self, Body};
use super::encode::{self, Kind, Parent};
use super::value::AttributeValue;
use crate::clock::{self, Instant};
use crate::context::current::{self, Carried, Current};
use crate::context::entered;
use crate::context::{self, Baggage, InCurrent, SpanContext, SpanId, TraceFlags, TraceId};
use crate::core::Core;
use crate::metrics::Exemplar;
use crate::sampling::{Decision, Subject};
use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

/// A span that is about to begin: see [`Telemetry::span`](crate::Telemetry::span).
#[derive(Debug)]
#[must_use = "a span begins with `start`"]
pub struct SpanBuilder<'a> {
    core: &'a Arc<Core>,
    name: Cow<'static, str>,
    kind: Kind,
    cause: Cause<'a>,
    begun: Option<Instant>,
    begins_traces: bool,
    baggage: Option<Baggage>,
}

/// What the span is part of.
#[derive(Debug, Clone, Copy)]
enum Cause<'a> {
    Current,
    Nothing,
    Span(&'a SpanContext, bool),
}

impl<'a> SpanBuilder<'a> {
    pub(crate) fn new(core: &'a Arc<Core>, name: Cow<'static, str>) -> SpanBuilder<'a> {
        SpanBuilder {
            core,
            name,
            kind: Kind::Internal,
            cause: Cause::Current,
            begun: None,
            begins_traces: true,
            baggage: None,
        }
    }

    /// What the span is for its neighbours; internal if nothing is said.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The span is caused by another of this process; an invalid one is none.
    pub fn parent(mut self, parent: &'a SpanContext) -> Self {
        self.cause = Cause::Span(parent, false);
        self
    }

    /// The span is caused by one of another process, whose context came with a message; an invalid
    /// one is none.
    pub fn remote_parent(mut self, parent: &'a SpanContext) -> Self {
        self.cause = Cause::Span(parent, true);
        self
    }

    /// The span begins a trace, whatever is current.
    pub fn root(mut self) -> Self {
        self.cause = Cause::Nothing;
        self
    }

    /// When the work began, if that was before now.
    pub fn began(mut self, at: std::time::Instant) -> Self {
        self.begun = Some(clock::of(at));
        self
    }

    /// What travels with the context from here on; the current baggage if nothing is said.
    pub fn baggage(mut self, baggage: Baggage) -> Self {
        self.baggage = Some(baggage);
        self
    }

    /// Where there is no trace, none begins: the span is then not recorded.
    pub(crate) fn within_traces_only(mut self, only: bool) -> Self {
        self.begins_traces = !only;
        self
    }

    /// Begins the span. Whether it is recorded is decided here; links and attributes of one that is
    /// not are never written.
    pub fn start(self) -> Span {
        let around = current::get();
        let of_current = around.as_ref().map(Current::span_context);
        let (parent, remote) = match self.cause {
            // A span of the OpenTelemetry API outside of any request of ours counts as well.
            Cause::Current => (of_current.or_else(context::current), false),
            Cause::Nothing => (None, false),
            Cause::Span(parent, remote) => (parent.is_valid().then(|| parent.clone()), remote),
        };
        let carried = match (self.cause, self.baggage, around) {
            (Cause::Current, None, Some(around)) => around.carried,
            (_, baggage, around) => {
                let state = parent.as_ref().map(|parent| parent.tracestate.clone());
                let baggage = baggage.or_else(|| around.map(|around| around.baggage()));
                Carried::new(state.unwrap_or_default(), baggage.unwrap_or_default())
            }
        };
        let subject = Subject {
            route: &self.name,
            ..Subject::default()
        };
        let trace_id = parent
            .as_ref()
            .map_or_else(TraceId::random, |parent| parent.trace_id);
        let decision = match &parent {
            Some(parent) if !remote => self.core.sample_within(parent, || subject),
            None if !self.begins_traces => Decision {
                sampled: false,
                tracestate: None,
            },
            parent => self.core.sample(trace_id, parent.as_ref(), || subject),
        };
        let sampled = decision.sampled;
        let carried = match decision.tracestate {
            None => carried,
            Some(state) => Carried::with_tracestate(carried, state),
        };
        let flags = parent
            .as_ref()
            .map_or(TraceFlags::RANDOM, |parent| parent.flags);
        let recorded = sampled && self.core.is_recording();
        let span_id = match &parent {
            // What is not recorded needs no name of its own.
            Some(parent) if !recorded => parent.span_id,
            _ => SpanId::random(),
        };
        Span {
            current: Current {
                trace_id,
                span_id,
                flags: flags.with_sampled(sampled),
                core: Arc::clone(self.core),
                carried,
            },
            parent: parent.map_or(Parent::NONE, |parent| Parent {
                span_id: parent.span_id,
                remote,
            }),
            name: self.name,
            kind: self.kind,
            begun: self.begun.unwrap_or_else(Instant::now),
            body: recorded.then(Body::new),
        }
    }
}

/// A span under way, made by hand. It ends when it is dropped; a panic that drops it does not mark
/// it.
///
/// What is said about a span that is not recorded costs next to nothing: no text is made of it.
///
/// ```no_run
/// # async fn reserve(telemetry: &telemetry::Telemetry) -> Result<(), std::io::Error> {
/// let mut span = telemetry.span("reserve").start();
/// span.set_attribute("order.items", 3);
/// let reserved = span.in_scope(async { std::fs::write("a", "b") }).await;
/// if let Err(error) = &reserved {
///     span.record_error(error);
///     span.set_error("io");
/// }
/// reserved
/// # }
/// ```
#[derive(Debug)]
pub struct Span {
    current: Current,
    parent: Parent,
    name: Cow<'static, str>,
    kind: Kind,
    begun: Instant,
    /// `None` when it is not recorded, and when it has ended.
    body: Option<Body>,
}

/// How a span ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Status {
    /// Nobody said; the default.
    #[default]
    Unset,
    /// Well, whatever others may think: it is final.
    Ok,
    /// Not well. The description says what the attributes do not; it may be empty.
    Error(Cow<'static, str>),
}

impl Span {
    /// The span's ids, as they travel.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        self.current.span_context()
    }

    /// Whether anything that is said about the span is kept.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.body.is_some()
    }

    /// Gives the span another name.
    pub fn set_name(&mut self, name: impl Into<Cow<'static, str>>) {
        self.name = name.into();
    }

    /// Sets an attribute; an earlier value of the key is replaced.
    pub fn set_attribute<'v>(&mut self, key: &str, value: impl Into<AttributeValue<'v>>) {
        if let Some(body) = &mut self.body {
            let limits = self.current.core.limits();
            body.attributes.set(limits, key, &value.into());
        }
    }

    /// The same, to be put on to [`SpanBuilder::start`].
    #[must_use]
    pub fn with_attribute<'v>(mut self, key: &str, value: impl Into<AttributeValue<'v>>) -> Span {
        self.set_attribute(key, value);
        self
    }

    /// An attribute that is written once.
    pub(crate) fn push<'v>(&mut self, key: &str, value: impl Into<AttributeValue<'v>>) {
        if let Some(body) = &mut self.body {
            body.attributes
                .push(self.current.core.limits(), key, &value.into());
        }
    }

    /// Something happened just now.
    pub fn add_event<'v>(
        &mut self,
        name: &str,
        attributes: impl IntoIterator<Item = (&'v str, AttributeValue<'v>)>,
    ) {
        let Some(body) = &mut self.body else { return };
        let limits = self.current.core.limits();
        let mut encoded = Attributes::empty();
        for (key, value) in attributes {
            encoded.set(limits, key, &value);
        }
        body.event(limits, clock::wall_now(), name, encoded);
    }

    /// The span has to do with another one of any trace; an invalid one is left out.
    pub fn add_link<'v>(
        &mut self,
        to: &SpanContext,
        attributes: impl IntoIterator<Item = (&'v str, AttributeValue<'v>)>,
    ) {
        self.link(to, false, attributes);
    }

    /// The same for a span of another process, whose context came with a message.
    pub fn add_remote_link<'v>(
        &mut self,
        to: &SpanContext,
        attributes: impl IntoIterator<Item = (&'v str, AttributeValue<'v>)>,
    ) {
        self.link(to, true, attributes);
    }

    pub(crate) fn link<'v>(
        &mut self,
        to: &SpanContext,
        remote: bool,
        attributes: impl IntoIterator<Item = (&'v str, AttributeValue<'v>)>,
    ) {
        let Some(body) = &mut self.body else { return };
        if !to.is_valid() {
            return;
        }
        let limits = self.current.core.limits();
        let mut encoded = Attributes::empty();
        for (key, value) in attributes {
            encoded.set(limits, key, &value);
        }
        body.link(limits, to, remote, encoded);
    }

    /// Adds an event that describes an error, by the
    /// [convention for exceptions](https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/).
    /// The status stays: an error that is dealt with is none of the span.
    pub fn record_error<E: Error + ?Sized>(&mut self, error: &E) {
        if self.body.is_none() {
            return;
        }
        let message = error.to_string();
        let name = std::any::type_name::<E>();
        // Of `dyn Error` nothing more is known.
        let name = (!name.starts_with("dyn ")).then_some(name);
        let name = name.map(|name| ("exception.type", name.into()));
        let causes = causes(&message, error.source());
        let causes = causes.map(|causes| ("exception.stacktrace", causes.into()));
        let message = ("exception.message", AttributeValue::from(&message));
        self.add_event("exception", name.into_iter().chain([message]).chain(causes));
    }

    /// The work failed: sets
    /// [`error.type`](https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/#error-type),
    /// a word from a closed set, and the status.
    pub fn set_error(&mut self, error_type: &str) {
        self.set_attribute("error.type", error_type);
        self.set_status(Status::Error(Cow::Borrowed("")));
    }

    /// Says how the span ended, by the
    /// [rules of the API](https://opentelemetry.io/docs/specs/otel/trace/api/#set-status): `Ok` is
    /// final, `Unset` changes nothing.
    pub fn set_status(&mut self, status: Status) {
        if let Some(body) = &mut self.body {
            body.status(match status {
                Status::Unset => body::Status::Unset,
                Status::Ok => body::Status::Ok,
                Status::Error(description) => body::Status::Error(description.into_owned()),
            });
        }
    }

    /// Makes the span current on this thread until the guard is dropped. Not for code that awaits:
    /// see [`in_scope`](Self::in_scope).
    pub fn enter(&self) -> Scope<'_> {
        let otel = self.current.to_otel_child();
        Scope {
            _entered: entered::enter(Some(self.current.clone()), otel),
            _span: self,
        }
    }

    /// Runs a future with the span as the current one. The span goes on until it is dropped.
    pub fn in_scope<F: Future>(&self, future: F) -> InCurrent<F> {
        let otel = self.current.to_otel_child();
        current::in_context(self.current.clone(), otel, future)
    }

    /// Ends the span now.
    pub fn end(self) {}

    /// Ends the span now, and says how long it took in seconds: a metric of the same work says the
    /// same, with the span as its exemplar if the service's filter takes it.
    pub(crate) fn measure(&mut self) -> (f64, Option<Exemplar>) {
        let duration = self.begun.elapsed();
        let end = clock::wall(self.begun + duration);
        let seconds = duration.as_secs_f64();
        let metrics = &self.current.core.metrics;
        let sampled = self.current.flags.is_sampled();
        let exemplar = metrics.takes_exemplar(sampled).then_some(Exemplar {
            trace_id: self.current.trace_id.0,
            span_id: self.current.span_id.0,
            value: seconds,
            at_nanos: end,
        });
        if let Some(body) = self.body.take() {
            self.current.core.record(|out| {
                encode::opening(out, &self.current, self.parent, end, duration);
                encode::name(out, &self.name);
                encode::kind(out, self.kind);
                body.finish(out);
            });
        }
        (seconds, exemplar)
    }
}

/// An error with what caused it, if anything did; errors of Rust have no other trace.
fn causes(message: &str, mut cause: Option<&(dyn Error + 'static)>) -> Option<String> {
    cause?;
    let mut causes = message.to_owned();
    while let Some(error) = cause {
        causes.push_str("\nCaused by: ");
        causes.push_str(&error.to_string());
        cause = error.source();
    }
    Some(causes)
}

impl Drop for Span {
    fn drop(&mut self) {
        if self.body.is_some() {
            self.measure();
        }
    }
}

/// A span is current on this thread until this is dropped. It stays on its thread.
///
/// ```compile_fail
/// fn only_sent<T: Send>(_: T) {}
/// fn work(span: &telemetry::Span) {
///     only_sent(span.enter());
/// }
/// ```
#[derive(Debug)]
pub struct Scope<'a> {
    _entered: entered::Entered,
    _span: &'a Span,
}

//! Spans of `#[tracing::instrument]` as spans of a trace.
//!
//! A span belongs to the service in whose context it is made. Whether the context is recorded is
//! asked before any of the span's fields is looked at.
//!
//! No code of the user's, such as a field's `Debug`, runs while a span's data is locked: it may
//! itself log or make spans.

mod decision;
mod entered;
mod event;
mod fields;
mod fresh;
mod layer;
mod root;

pub(crate) use root::announce;

use crate::log;
use decision::{Scope, Wanted};
use layer::ChildSpans;
use root::Root;
use std::sync::Arc;
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Spans at `INFO` and above as spans of the current context: [`SpanLayer`] with its defaults.
pub fn layer<S>() -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    SpanLayer::new().build()
}

/// Turns spans of `tracing` into spans of a trace, for a `tracing` subscriber of your own;
/// [`init`](crate::init) installs one with such a layer.
///
/// Fields become attributes of their own type. Some are special, at the start or when recorded
/// later:
///
/// | field | sets |
/// |---|---|
/// | `otel.name` | the span's name |
/// | `otel.kind` | `internal`, `server`, `client`, `producer` or `consumer` |
/// | `otel.status_code` | `ok` or `error` |
/// | `otel.status_description` | what went wrong, for an error |
///
/// An event at `ERROR` level with a field `error`, as `#[instrument(err)]` makes, is an
/// [exception](https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/): it is
/// recorded as such, and the span's status becomes an error with `error.type` (`_OTHER` unless a
/// field of the event or the span says it). Other events are logs and not part of a span, unless
/// [`with_events`](Self::with_events) asks for them. `Span::follows_from` makes a link.
///
/// Within a context that is not recorded, no span is, whatever parent it names; only a context with
/// baggage still travels with them. So a task that is spawned keeps its request's context by
/// [`context::in_current`](crate::context::in_current), recorded or not.
#[derive(Debug, Clone)]
pub struct SpanLayer {
    root: Root,
    scope: Scope,
    level: Level,
    events: Option<Level>,
    code: bool,
}

impl Default for SpanLayer {
    fn default() -> Self {
        SpanLayer {
            root: Root::None,
            scope: Scope::Own,
            level: Level::INFO,
            events: None,
            code: false,
        }
    }
}

impl SpanLayer {
    /// Spans at `INFO` and above, within a context.
    #[must_use]
    pub fn new() -> SpanLayer {
        SpanLayer::default()
    }

    /// Spans outside any context belong to this service: each begins a trace, if its sampler takes
    /// it. Without this they are not recorded.
    #[must_use]
    pub fn with_root(mut self, telemetry: &crate::Telemetry) -> SpanLayer {
        self.root = Root::Service(Arc::downgrade(telemetry.core()));
        self
    }

    /// For the process's subscriber, which has this layer and the log's only: spans outside any
    /// context belong to the process's service, as long as there is only one.
    pub(crate) fn of_process(log: log::Handle) -> SpanLayer {
        SpanLayer {
            root: Root::Process,
            scope: Scope::AllUnlessFollowed(log),
            ..SpanLayer::default()
        }
    }

    /// Decides for all layers of the subscriber: what a trace does not record is not even made,
    /// which costs a fraction. Right unless another layer looks at spans, as
    /// `tracing_subscriber::fmt` does.
    #[must_use]
    pub fn deciding_for_all(mut self) -> SpanLayer {
        self.scope = Scope::All;
        self
    }

    /// The least level of spans, by default `INFO`: libraries make one at `DEBUG` for each frame
    /// that they read.
    #[must_use]
    pub fn with_level(mut self, level: Level) -> SpanLayer {
        self.level = level;
        self
    }

    /// Records events at this level and above as events of their span, named by their message.
    /// OpenTelemetry advises [against it](https://github.com/open-telemetry/opentelemetry-specification/blob/main/oteps/4430-span-event-api-deprecation-plan.md):
    /// they are logs, which carry their span's ids.
    #[must_use]
    pub fn with_events(mut self, level: Level) -> SpanLayer {
        self.events = Some(level);
        self
    }

    /// Says where in the code a span is made: `code.file.path` and `code.line.number`.
    #[must_use]
    pub fn with_code(mut self) -> SpanLayer {
        self.code = true;
        self
    }

    /// The layer.
    pub fn build<S>(self) -> impl Layer<S> + Send + Sync + 'static
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let wanted = Wanted {
            spans: self.level,
            events: self.events.unwrap_or(Level::ERROR),
            for_all: self.scope.is_for_all(),
        };
        ChildSpans::new(self.root, self.scope, self.events, self.code).with_filter(wanted)
    }
}

//! Spans of `#[tracing::instrument]` as children of the current context.
//!
//! A span belongs to the service in whose context it was made; outside any context it is not
//! recorded. Fields become attributes; `otel.name`, `otel.kind`, `otel.status_code` and
//! `otel.status_description` set what they name. An event at `ERROR` level that carries an `error`
//! field, as `#[instrument(err)]` makes, turns the span's status into an error.

use crate::clock;
use crate::context::SpanId;
use crate::context::current::{self, Current, Entered};
use crate::settings::Limits;
use crate::span::attributes::Attributes as Encoded;
use crate::span::encode::{self, Kind, Parent};
use std::cell::RefCell;
use std::fmt;
use std::time::Instant;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::DynFilterFn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Turns spans at `INFO` and above into spans of the current context: for a subscriber of your own.
/// Spans below are left alone: libraries make one for each frame that they read.
pub fn layer<S>() -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // Never more than "sometimes": after "always" a filter's answer about one event can be taken
    // for its answer about another (github.com/tokio-rs/tracing/pull/3572).
    let filter = DynFilterFn::new(|metadata, _| is_wanted(metadata))
        .with_max_level_hint(LevelFilter::INFO)
        .with_callsite_filter(|metadata| {
            if is_wanted(metadata) {
                Interest::sometimes()
            } else {
                Interest::never()
            }
        });
    ChildSpans.with_filter(filter)
}

fn is_wanted(metadata: &Metadata<'_>) -> bool {
    let least = if metadata.is_span() {
        Level::INFO
    } else {
        Level::ERROR
    };
    *metadata.level() <= least
}

#[derive(Debug, Clone, Copy, Default)]
struct ChildSpans;

/// A span under way, kept with the span itself.
#[derive(Debug)]
struct Child {
    current: Current,
    parent: SpanId,
    start: Instant,
    /// `None` when the trace is not recorded.
    fields: Option<Fields>,
}

#[derive(Debug)]
struct Fields {
    attributes: Encoded,
    limits: Limits,
    name: Option<String>,
    kind: Kind,
    status: Option<Status>,
    description: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    Error,
}

thread_local! {
    /// Spans entered on this thread, and what was current before each.
    static ENTERED: RefCell<Vec<(Id, Entered)>> = const { RefCell::new(Vec::new()) };
}

impl<S> Layer<S> for ChildSpans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = match attributes.parent() {
            Some(parent) => context.span(parent).and_then(|parent| {
                parent
                    .extensions()
                    .get::<Child>()
                    .map(|child| child.current.clone())
            }),
            None if attributes.is_root() => None,
            None => current::get(),
        };
        let Some(parent) = parent else { return };
        let recorded = parent.is_recording();
        let mut current = parent;
        let parent = current.span_id;
        // What is not recorded needs no name of its own.
        if recorded {
            current.span_id = SpanId::random();
        }
        let fields = recorded.then(|| {
            let mut fields = Fields::new(*current.core.limits());
            attributes.record(&mut fields);
            fields
        });
        let start = Instant::now();
        span.extensions_mut().insert(Child {
            current,
            parent,
            start,
            fields,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        let child = extensions.get_mut::<Child>();
        if let Some(fields) = child.and_then(|child| child.fields.as_mut()) {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else {
            return;
        };
        let mut error = ErrorField(None);
        event.record(&mut error);
        let Some(description) = error.0 else { return };
        let mut extensions = span.extensions_mut();
        let child = extensions.get_mut::<Child>();
        if let Some(fields) = child.and_then(|child| child.fields.as_mut()) {
            fields.status = Some(Status::Error);
            fields.description = description;
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let current = span
            .extensions()
            .get::<Child>()
            .map(|child| child.current.clone());
        let Some(current) = current else { return };
        let otel = current.to_otel_child();
        let entered = current::enter(Some(current), otel);
        let _ = ENTERED.try_with(|stack| stack.borrow_mut().push((id.clone(), entered)));
    }

    fn on_exit(&self, id: &Id, _context: Context<'_, S>) {
        let left = ENTERED.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            let index = stack.iter().rposition(|(entered, _)| entered == id)?;
            let (_, mut left) = stack.remove(index);
            // Left out of order: the next one restores what was current before this one.
            if let Some((_, next)) = stack.get_mut(index) {
                left.hand_over(next);
            }
            Some(left)
        });
        // Only now, with the stack free: it may end spans of the OpenTelemetry API.
        drop(left);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        let Some(child) = span.extensions_mut().remove::<Child>() else {
            return;
        };
        child.end(span.metadata().name());
    }
}

impl Child {
    fn end(self, name: &str) {
        let Child {
            current,
            parent,
            start,
            fields,
            ..
        } = self;
        let Some(fields) = fields else { return };
        let end = Instant::now();
        current.core.record(|out| {
            let parent = Parent {
                span_id: parent,
                remote: false,
            };
            let duration = end.saturating_duration_since(start);
            encode::opening(out, &current, parent, clock::wall(end), duration);
            encode::name(out, fields.name.as_deref().unwrap_or(name));
            encode::kind(out, fields.kind);
            fields.attributes.finish(out);
            match fields.status {
                None => {}
                Some(Status::Ok) => encode::ok_status(out),
                Some(Status::Error) => encode::error_status(out, &fields.description),
            }
        });
    }
}

impl Fields {
    fn new(limits: Limits) -> Self {
        Fields {
            attributes: Encoded::take(),
            limits,
            name: None,
            kind: Kind::Internal,
            status: None,
            description: String::new(),
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        match key {
            "otel.name" => self.name = Some(value.to_owned()),
            "otel.kind" => {
                self.kind = match value.to_ascii_lowercase().as_str() {
                    "server" => Kind::Server,
                    "client" => Kind::Client,
                    "producer" => Kind::Producer,
                    "consumer" => Kind::Consumer,
                    _ => Kind::Internal,
                }
            }
            "otel.status_code" => {
                self.status = match value.to_ascii_lowercase().as_str() {
                    "ok" => Some(Status::Ok),
                    "error" => Some(Status::Error),
                    _ => None,
                }
            }
            "otel.status_description" => value.clone_into(&mut self.description),
            _ => self.attributes.set(&self.limits, key, value),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field.name(), &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.attributes.set(&self.limits, field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.set(&self.limits, field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        // OTLP has signed integers only.
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.text(field.name(), &value.to_string()),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.attributes.set(&self.limits, field.name(), value);
    }
}

/// The `error` field of an event.
struct ErrorField(Option<String>);

impl Visit for ErrorField {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "error" {
            self.0 = Some(format!("{value:?}"));
        }
    }
}

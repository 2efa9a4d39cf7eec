//! What happens to a span between its making and its end.

use super::decision::Scope;
use super::entered;
use super::event;
use super::fields::Fields;
use super::fresh;
use super::root::{self, Root};
use crate::clock::{self, Instant};
use crate::context::SpanId;
use crate::context::current::{self, Current};
use crate::context::entered::enter;
use crate::settings::Limits;
use crate::span::attributes::Attributes as Encoded;
use crate::span::encode::{self, Parent};
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

#[derive(Debug)]
pub(super) struct ChildSpans {
    /// Tells this process's layers apart.
    number: usize,
    root: Root,
    scope: Scope,
    events: Option<Level>,
    code: bool,
}

/// A span under way, kept with the span itself.
#[derive(Debug)]
struct Child {
    current: Current,
    parent: SpanId,
    start: Instant,
    /// `None` when the trace is not recorded.
    fields: Option<Fields>,
}

impl ChildSpans {
    pub(super) fn new(root: Root, scope: Scope, events: Option<Level>, code: bool) -> ChildSpans {
        static LAYERS: AtomicUsize = AtomicUsize::new(0);
        ChildSpans {
            number: LAYERS.fetch_add(1, Ordering::Relaxed),
            root,
            scope,
            events,
            code,
        }
    }

    /// The context that a span is made in; without a span if a trace begins.
    fn place<S>(&self, attributes: &Attributes<'_>, context: &Context<'_, S>) -> Option<Current>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        if attributes.is_root() {
            let core = current::with_current(|current| current.core.clone());
            let core = core.or_else(|| self.root.core())?;
            return Some(root::begin(core, attributes.metadata().name()));
        }
        // A parent that this layer has filtered out is no parent of ours.
        let named = attributes.parent().and_then(|id| of(&context.span(id)?));
        if let Some(parent) = named.or_else(current::get) {
            return Some(parent);
        }
        let core = self.root.core()?;
        Some(match current::attached() {
            Some(attached) => Current::of(attached, core),
            None => root::begin(core, attributes.metadata().name()),
        })
    }
}

/// A span's own context.
fn of<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Current> {
    let extensions = span.extensions();
    extensions.get::<Child>().map(|child| child.current.clone())
}

/// The limits of a span that is recorded.
fn limits<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> Option<Limits> {
    let extensions = span.extensions();
    let child = extensions.get::<Child>()?;
    child.fields.as_ref()?;
    Some(*child.current.core.limits())
}

/// Changes what a span says, for a moment in which nobody else can see it.
fn change<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>, change: impl FnOnce(&mut Fields)) {
    let mut extensions = span.extensions_mut();
    let child = extensions.get_mut::<Child>();
    if let Some(fields) = child.and_then(|child| child.fields.as_mut()) {
        change(fields);
    }
}

impl<S> Layer<S> for ChildSpans
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    /// Only asked about what the filter has let pass.
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        !self.scope.forbids(metadata)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(mut current) = self.place(attributes, &context) else {
            return;
        };
        let Some(span) = context.span(id) else { return };
        let parent = current.span_id;
        if parent.is_valid() {
            current.sample_child();
        }
        let recorded = current.is_recording();
        // What is not recorded needs no name of its own, unless a trace begins with it.
        if recorded || !parent.is_valid() {
            current.span_id = SpanId::random();
        }
        let fields = recorded.then(|| {
            let limits = current.core.limits();
            let mut fields = Fields::read(limits, |visitor| attributes.record(visitor));
            if self.code {
                locate(&mut fields, limits, attributes.metadata());
            }
            fields
        });
        fresh::remember(self.number, id, &current);
        span.extensions_mut().insert(Child {
            current,
            parent,
            start: Instant::now(),
            fields,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let Some(limits) = limits(&span) else { return };
        let later = Fields::read(&limits, |visitor| values.record(visitor));
        change(&span, |fields| fields.merge(&limits, later));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        let followed = context.span(follows).and_then(|followed| of(&followed));
        let (Some(span), Some(followed)) = (context.span(id), followed) else {
            return;
        };
        let Some(limits) = limits(&span) else { return };
        let followed = followed.span_context();
        change(&span, |fields| {
            fields
                .body
                .link(&limits, &followed, false, Encoded::empty());
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else {
            return;
        };
        let Some(limits) = limits(&span) else { return };
        let event_level = *event.metadata().level();
        let event = event::Read::new(&limits, event);
        let wanted = self.events.is_some_and(|least| event_level <= least);
        if event.is_exception() || wanted {
            let at = clock::wall_now();
            change(&span, |fields| event.add_to(fields, &limits, at));
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if entered::push(self.number, id, || fresh::enter(self.number, id)) {
            return;
        }
        let Some(current) = context.span(id).and_then(|span| of(&span)) else {
            return;
        };
        let otel = current.to_otel_child();
        entered::push(self.number, id, || Some(enter(Some(current), otel)));
    }

    fn on_exit(&self, id: &Id, _context: Context<'_, S>) {
        entered::pop(self.number, id);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else {
            return;
        };
        let mut extensions = span.extensions_mut();
        if let Some(child) = extensions.get_mut::<Child>() {
            child.end(span.metadata().name());
        }
    }
}

impl Child {
    /// Ends it where it is: it goes with its place in the registry.
    fn end(&mut self, name: &str) {
        let Some(fields) = self.fields.take() else {
            return;
        };
        let end = Instant::now();
        let duration = end.saturating_duration_since(self.start);
        let parent = Parent {
            span_id: self.parent,
            remote: false,
        };
        self.current.core.record(|out| {
            encode::opening(out, &self.current, parent, clock::wall(end), duration);
            encode::name(out, fields.name().unwrap_or(name));
            encode::kind(out, fields.kind());
            fields.finish(out);
        });
    }
}

/// Where in the code a span is made
/// (opentelemetry.io/docs/specs/semconv/registry/attributes/code).
fn locate(fields: &mut Fields, limits: &Limits, metadata: &Metadata<'_>) {
    let attributes = &mut fields.body.attributes;
    if let Some(file) = metadata.file() {
        attributes.set(limits, "code.file.path", file);
    }
    if let Some(line) = metadata.line() {
        attributes.set(limits, "code.line.number", i64::from(line));
    }
}

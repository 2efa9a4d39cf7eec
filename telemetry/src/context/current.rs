//! The current context: a cell per thread, set for one poll at a time.
//!
//! It carries the service as well as the ids, so that two services in one process do not mix.
//! Whenever it changes, an OpenTelemetry `Context` is attached along with it: code that uses the
//! OpenTelemetry API nests under our spans, and what such code attaches deeper is found here.

use super::{Baggage, Propagators, SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use crate::core::Core;
use opentelemetry::trace::TraceContextExt;
use pin_project_lite::pin_project;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A span's ids and the service it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) flags: TraceFlags,
    pub(crate) core: Arc<Core>,
    pub(crate) carried: Option<Arc<Carried>>,
}

/// What only some requests carry, kept apart so that the others pay nothing for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carried {
    pub(crate) tracestate: TraceState,
    pub(crate) baggage: Baggage,
}

impl Carried {
    pub(crate) fn new(tracestate: TraceState, baggage: Baggage) -> Option<Arc<Carried>> {
        let empty = tracestate == TraceState::NONE && baggage.is_empty();
        (!empty).then(|| {
            Arc::new(Carried {
                tracestate,
                baggage,
            })
        })
    }
}

impl Current {
    pub(crate) fn span_context(&self) -> SpanContext {
        SpanContext {
            trace_id: self.trace_id,
            span_id: self.span_id,
            flags: self.flags,
            tracestate: self.tracestate(),
        }
    }

    pub(crate) fn tracestate(&self) -> TraceState {
        self.carried
            .as_ref()
            .map_or(TraceState::NONE, |carried| carried.tracestate.clone())
    }

    pub(crate) fn baggage(&self) -> Baggage {
        self.carried
            .as_ref()
            .map_or(Baggage::EMPTY, |carried| carried.baggage.clone())
    }

    /// Spans of this context are written down.
    pub(crate) fn is_recording(&self) -> bool {
        self.flags.is_sampled() && self.core.is_recording()
    }

    /// The same context as the OpenTelemetry API sees it.
    pub(crate) fn to_otel(&self) -> opentelemetry::Context {
        crate::otel::context(self)
    }

    /// The same for a span within the current request: what else the OpenTelemetry API's current
    /// context holds stays in it.
    pub(crate) fn to_otel_child(&self) -> opentelemetry::Context {
        crate::otel::child_context(self)
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

fn swap(current: Option<Current>) -> Option<Current> {
    CURRENT
        .try_with(|cell| cell.replace(current))
        .ok()
        .flatten()
}

/// The current context. Its span may be one that the OpenTelemetry API attached.
pub(crate) fn get() -> Option<Current> {
    let mut current = CURRENT
        .try_with(|cell| cell.borrow().clone())
        .ok()
        .flatten()?;
    if let Some(deeper) = attached() {
        current.trace_id = deeper.trace_id;
        current.span_id = deeper.span_id;
        current.flags = deeper.flags;
    }
    Some(current)
}

/// The span that the OpenTelemetry API has attached on this thread.
fn attached() -> Option<SpanContext> {
    opentelemetry::Context::map_current(|context| {
        let span = context.span();
        let context = span.span_context();
        context.is_valid().then(|| SpanContext {
            trace_id: TraceId(u128::from_be_bytes(context.trace_id().to_bytes())),
            span_id: SpanId(u64::from_be_bytes(context.span_id().to_bytes())),
            flags: TraceFlags(context.trace_flags().to_u8()),
            tracestate: TraceState::parse(&context.trace_state().header()),
        })
    })
}

/// Puts the previous context back when dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    previous: Option<Current>,
    restores: bool,
    _otel: opentelemetry::ContextGuard,
    _not_send: PhantomData<*const ()>,
}

pub(crate) fn enter(current: Option<Current>, otel: opentelemetry::Context) -> Entered {
    let _otel = otel.attach();
    Entered {
        previous: swap(current),
        restores: true,
        _otel,
        _not_send: PhantomData,
    }
}

impl Entered {
    /// Leaves out of order: `next` was entered later and will restore what this would have.
    pub(crate) fn hand_over(&mut self, next: &mut Entered) {
        next.previous = self.previous.take();
        self.restores = false;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.restores {
            swap(self.previous.take());
        }
    }
}

/// The current span, if there is one.
#[must_use]
pub fn current() -> Option<SpanContext> {
    get()
        .map(|current| current.span_context())
        .or_else(attached)
}

/// The baggage of the current request.
#[must_use]
pub fn baggage() -> Baggage {
    get().map_or(Baggage::EMPTY, |current| current.baggage())
}

pub(super) fn propagators() -> Propagators {
    get().map_or_else(Propagators::default, |current| current.core.propagators())
}

/// Carries the current context into a task that is spawned.
pub fn in_current<F: Future>(future: F) -> InCurrent<F> {
    let current = get();
    InCurrent {
        future,
        current,
        otel: opentelemetry::Context::current(),
    }
}

/// Runs a future with other baggage. Outside any request it changes nothing.
pub fn with_baggage<F: Future>(baggage: Baggage, future: F) -> InCurrent<F> {
    let mut scoped = in_current(future);
    if let Some(current) = &mut scoped.current {
        current.carried = Carried::new(current.tracestate(), baggage);
        scoped.otel = crate::otel::with_baggage(&scoped.otel, &current.baggage());
    }
    scoped
}

pub(crate) fn in_context<F: Future>(
    current: Current,
    otel: opentelemetry::Context,
    future: F,
) -> InCurrent<F> {
    InCurrent {
        future,
        current: Some(current),
        otel,
    }
}

pin_project! {
    /// A future that is polled within a context. See [`in_current`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InCurrent<F> {
        #[pin]
        future: F,
        current: Option<Current>,
        otel: opentelemetry::Context,
    }
}

impl<F: Future> Future for InCurrent<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = enter(this.current.clone(), this.otel.clone());
        this.future.poll(cx)
    }
}

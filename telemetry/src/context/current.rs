//! The current context: a cell per thread, set for one poll at a time.
//!
//! It carries the service as well as the ids, so that two services in one process do not mix.
//! Once the service has asked for a provider of the OpenTelemetry API, an OpenTelemetry `Context`
//! is attached along with it whenever it changes: code that uses that API nests under our spans,
//! and what such code attaches deeper is found here. Others do not pay for it.

use super::entered;
use super::{
    Baggage, CarrierMut, Propagators, SpanContext, SpanId, TraceFlags, TraceId, TraceState,
};
use crate::core::Core;
use crate::sampling::Subject;
use opentelemetry::trace::TraceContextExt;
use pin_project_lite::pin_project;
use std::cell::{Cell, RefCell};
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

    /// The same with another state.
    #[inline(never)]
    pub(crate) fn with_tracestate(
        carried: Option<Arc<Carried>>,
        tracestate: TraceState,
    ) -> Option<Arc<Carried>> {
        let baggage = carried.map_or(Baggage::EMPTY, |carried| carried.baggage.clone());
        Carried::new(tracestate, baggage)
    }
}

impl Current {
    /// The context of a span that the OpenTelemetry API has begun outside any request.
    pub(crate) fn of(span: SpanContext, core: Arc<Core>) -> Current {
        Current {
            trace_id: span.trace_id,
            span_id: span.span_id,
            flags: span.flags,
            core,
            carried: Carried::new(span.tracestate, Baggage::EMPTY),
        }
    }

    /// Of the service at this address.
    pub(super) fn is_of(&self, core: usize) -> bool {
        Arc::as_ptr(&self.core).addr() == core
    }

    pub(super) fn replace_ids(&mut self, ids: Ids) -> Ids {
        let before = (self.trace_id, self.span_id, self.flags);
        (self.trace_id, self.span_id, self.flags) = ids;
        before
    }

    pub(crate) fn carries_baggage(&self) -> bool {
        let carried = self.carried.as_ref();
        carried.is_some_and(|carried| !carried.baggage.is_empty())
    }

    /// Becomes what a span within this one is: by default the trace's decision stands.
    pub(crate) fn sample_child(&mut self) {
        if self.core.sampling().keeps_local() {
            return;
        }
        let core = Arc::clone(&self.core);
        let decision = core.sample_within(&self.span_context(), Subject::default);
        self.flags = self.flags.with_sampled(decision.sampled);
        if let Some(tracestate) = decision.tracestate {
            self.carried = Carried::with_tracestate(self.carried.take(), tracestate);
        }
    }

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

    /// The same context as the OpenTelemetry API sees it, if anybody looks.
    #[inline]
    pub(crate) fn to_otel(&self) -> Option<opentelemetry::Context> {
        self.core.speaks_otel().then(|| crate::otel::context(self))
    }

    /// The same for a span within the current request: what else the OpenTelemetry API's current
    /// context holds stays in it.
    pub(crate) fn to_otel_child(&self) -> Option<opentelemetry::Context> {
        self.core
            .speaks_otel()
            .then(|| crate::otel::child_context(self))
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
    /// What [`attach_late`] has attached.
    static LATE: Cell<Option<opentelemetry::ContextGuard>> = const { Cell::new(None) };
}

/// The service asks for a provider of the OpenTelemetry API within one of its own requests, for the
/// first time: that request's context is attached now, until what is current changes.
#[cfg(feature = "opentelemetry-sdk")]
pub(crate) fn attach_late() {
    let context = with_current(Current::to_otel).flatten();
    let guard = context.map(opentelemetry::Context::attach);
    let _ = LATE.try_with(|late| late.set(guard));
}

#[inline(never)]
pub(super) fn detach_late() {
    drop(LATE.try_with(Cell::take));
}

/// Changes what is current. A thread that is going away has no current context.
#[inline(always)]
pub(super) fn change<R>(change: impl FnOnce(&mut Option<Current>) -> R) -> Option<R> {
    let changed = CURRENT.try_with(|cell| change(&mut cell.borrow_mut()));
    changed.ok()
}

/// The current context. Its span may be one that the OpenTelemetry API attached.
pub(crate) fn get() -> Option<Current> {
    let mut current = with_current(Current::clone)?;
    if current.core.speaks_otel()
        && let Some((trace_id, span_id, flags)) = attached_ids()
    {
        // Of the flags that a trace began with, that API hands on only whether it is sampled.
        if current.trace_id == trace_id {
            current.flags = current.flags.with_sampled(flags.is_sampled());
        } else {
            current.flags = flags;
            let tracestate = attached().unwrap_or_default().tracestate;
            current.carried = Carried::with_tracestate(current.carried.take(), tracestate);
        }
        current.trace_id = trace_id;
        current.span_id = span_id;
    }
    Some(current)
}

/// Reads the current context, if there is one, without counting a reference. A span that the
/// OpenTelemetry API attached deeper is not looked at. `read` must not change what is current.
pub(crate) fn with_current<R>(read: impl FnOnce(&Current) -> R) -> Option<R> {
    CURRENT
        .try_with(|cell| cell.borrow().as_ref().map(read))
        .ok()
        .flatten()
}

pub(crate) type Ids = (TraceId, SpanId, TraceFlags);

/// The ids of the current span: one of ours, or one of the OpenTelemetry API.
pub(crate) fn ids() -> Option<Ids> {
    let ours = with_current(|current| {
        let ids = (current.trace_id, current.span_id, current.flags);
        (ids, current.core.speaks_otel())
    });
    match ours {
        Some((ids, false)) => Some(ids),
        Some((ids, true)) => attached_ids().or(Some(ids)),
        None => attached_ids(),
    }
}

/// The ids of the span that the OpenTelemetry API has attached on this thread: one of ours, or one
/// that code which speaks that API has begun within ours.
pub(crate) fn attached_ids() -> Option<Ids> {
    opentelemetry::Context::map_current(|context| {
        let span = context.span();
        let context = span.span_context();
        context.is_valid().then(|| ids_of(context))
    })
}

fn ids_of(context: &opentelemetry::trace::SpanContext) -> Ids {
    (
        TraceId(u128::from_be_bytes(context.trace_id().to_bytes())),
        SpanId(u64::from_be_bytes(context.span_id().to_bytes())),
        TraceFlags(context.trace_flags().to_u8()),
    )
}

/// The span that the OpenTelemetry API has attached on this thread.
pub(crate) fn attached() -> Option<SpanContext> {
    opentelemetry::Context::map_current(|context| {
        let span = context.span();
        let context = span.span_context();
        let (trace_id, span_id, flags) = ids_of(context);
        context.is_valid().then(|| SpanContext {
            trace_id,
            span_id,
            flags,
            tracestate: TraceState::parse(&context.trace_state().header()),
        })
    })
}

/// A context that is made current many times, for one poll at a time. What it puts in place it
/// takes back, so that no reference is counted on the way: many threads share those counts.
#[derive(Debug)]
pub(crate) struct Scoped {
    current: Current,
    otel: Option<opentelemetry::Context>,
    /// Absent while it is in place.
    lent: RefCell<Option<Lent>>,
}

/// What a context counts references to.
type Lent = (Arc<Core>, Option<Arc<Carried>>);

impl Scoped {
    pub(crate) fn new(current: Current, otel: Option<opentelemetry::Context>) -> Scoped {
        Scoped {
            lent: RefCell::new(None),
            current,
            otel,
        }
    }

    /// Becomes the context of another span of the service, after a [rest](Self::rest). References
    /// to the service are not counted anew.
    pub(crate) fn renew(&mut self, ids: Ids, carried: Option<Arc<Carried>>) {
        self.current.replace_ids(ids);
        if carried.is_some() {
            self.carry(carried);
        }
        if self.current.core.speaks_otel() {
            self.speak();
        }
    }

    #[cold]
    fn carry(&mut self, carried: Option<Arc<Carried>>) {
        if let Some((_, lent)) = self.lent.get_mut() {
            lent.clone_from(&carried);
        }
        self.current.carried = carried;
    }

    #[inline(never)]
    fn speak(&mut self) {
        self.otel = self.current.to_otel();
    }

    /// Lets go of what was only this span's.
    pub(crate) fn rest(&mut self) {
        self.otel = None;
        self.current.carried = None;
        if let Some((_, lent)) = self.lent.get_mut() {
            *lent = None;
        }
    }

    pub(crate) fn current(&self) -> &Current {
        &self.current
    }

    #[inline(never)]
    fn attach(&self) -> Option<opentelemetry::ContextGuard> {
        let otel = self.otel.clone().or_else(|| self.current.to_otel());
        otel.map(opentelemetry::Context::attach)
    }

    /// The first time, or while what was lent is in place.
    #[cold]
    fn lend(&self) -> Lent {
        (Arc::clone(&self.current.core), self.current.carried.clone())
    }

    /// Makes it current on this thread until the guard is dropped.
    pub(crate) fn enter(&self) -> InPlace<'_> {
        let speaks_otel = self.otel.is_some() || self.current.core.speaks_otel();
        let otel = if speaks_otel { self.attach() } else { None };
        // It is done for each poll, mostly with nothing there: then little is moved.
        let previous = change(|cell| {
            let Current {
                trace_id,
                span_id,
                flags,
                ..
            } = &self.current;
            let previous = cell.take();
            let (core, carried) = self.lent.take().unwrap_or_else(|| self.lend());
            *cell = Some(Current {
                trace_id: *trace_id,
                span_id: *span_id,
                flags: *flags,
                core,
                carried,
            });
            previous
        });
        InPlace {
            scoped: self,
            previous: previous.flatten(),
            _otel: otel,
        }
    }
}

/// Puts the previous context back when dropped.
#[derive(Debug)]
pub(crate) struct InPlace<'a> {
    scoped: &'a Scoped,
    previous: Option<Current>,
    // Not Send, as this is not.
    _otel: Option<opentelemetry::ContextGuard>,
}

impl Drop for InPlace<'_> {
    fn drop(&mut self) {
        // For others nothing is ever attached late.
        if self.scoped.current.core.speaks_otel() {
            detach_late();
        }
        let found = change(|cell| match self.previous.take() {
            None => cell.take(),
            previous => std::mem::replace(cell, previous),
        });
        // Something entered later and never left would be found instead.
        if let Some(found) = found.flatten()
            && found.span_id == self.scoped.current.span_id
        {
            self.scoped.lent.replace(Some((found.core, found.carried)));
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

/// Writes the current context and baggage in the formats of the service's propagators.
pub fn inject_current(carrier: &mut impl CarrierMut) {
    let (propagators, context, baggage) = match get() {
        Some(current) => (
            current.core.propagators(),
            current.span_context(),
            current.baggage(),
        ),
        None => (
            Propagators::default(),
            attached().unwrap_or_default(),
            Baggage::EMPTY,
        ),
    };
    propagators.inject(&context, &baggage, carrier);
}

/// Carries the current context into a task that is spawned.
pub fn in_current<F: Future>(future: F) -> InCurrent<F> {
    let otel = opentelemetry::Context::current();
    InCurrent {
        future,
        scope: match get() {
            Some(current) => Scope::Ours(Scoped::new(current, Some(otel))),
            None => Scope::Otel(otel),
        },
    }
}

/// Runs a future with other baggage. Outside any request it changes nothing.
pub fn with_baggage<F: Future>(baggage: Baggage, future: F) -> InCurrent<F> {
    let otel = opentelemetry::Context::current();
    let scope = match get() {
        None => Scope::Otel(otel),
        Some(mut current) => {
            current.carried = Carried::new(current.tracestate(), baggage);
            let otel = crate::otel::with_baggage(&otel, &current.baggage());
            Scope::Ours(Scoped::new(current, Some(otel)))
        }
    };
    InCurrent { future, scope }
}

pub(crate) fn in_context<F: Future>(
    current: Current,
    otel: Option<opentelemetry::Context>,
    future: F,
) -> InCurrent<F> {
    InCurrent {
        future,
        scope: Scope::Ours(Scoped::new(current, otel)),
    }
}

#[derive(Debug)]
enum Scope {
    Ours(Scoped),
    /// Outside any request of ours.
    Otel(opentelemetry::Context),
}

pin_project! {
    /// A future that is polled within a context. See [`in_current`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InCurrent<F> {
        #[pin]
        future: F,
        scope: Scope,
    }
}

impl<F: Future> Future for InCurrent<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        match this.scope {
            Scope::Ours(scoped) => {
                let _in_place = scoped.enter();
                this.future.poll(cx)
            }
            Scope::Otel(otel) => {
                let _entered = entered::enter(None, Some(otel.clone()));
                this.future.poll(cx)
            }
        }
    }
}

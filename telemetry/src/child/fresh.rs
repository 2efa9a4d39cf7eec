//! The span that this thread has made last: most are entered at once, and need not be looked up in
//! the subscriber's table for that.

use crate::context::current::Current;
use crate::context::entered::{self, Entered};
use crate::context::{SpanId, TraceFlags, TraceId};
use std::cell::Cell;
use std::sync::Arc;
use tracing::span::Id;

/// Holds no reference: it may outlive the span and its service.
#[derive(Clone, Copy)]
struct Fresh {
    layer: usize,
    /// Of the subscriber: it has a generation in it, and does not come back soon.
    id: u64,
    /// The address of the service.
    core: usize,
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
}

thread_local! {
    static FRESH: Cell<Option<Fresh>> = const { Cell::new(None) };
}

/// Remembers a span. One that carries more than its ids is left to the table.
pub(super) fn remember(layer: usize, id: &Id, current: &Current) {
    let fresh = current.carried.is_none().then(|| Fresh {
        layer,
        id: id.into_u64(),
        core: Arc::as_ptr(&current.core).addr(),
        trace_id: current.trace_id,
        span_id: current.span_id,
        flags: current.flags,
    });
    let _ = FRESH.try_with(|cell| cell.set(fresh));
}

/// Makes the span current, if it is the last one made here and within the current service.
pub(super) fn enter(layer: usize, id: &Id) -> Option<Entered> {
    let fresh = FRESH.try_with(Cell::get).ok()??;
    if (fresh.layer, fresh.id) != (layer, id.into_u64()) {
        return None;
    }
    entered::enter_within(fresh.core, (fresh.trace_id, fresh.span_id, fresh.flags))
}

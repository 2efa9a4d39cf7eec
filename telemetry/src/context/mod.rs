//! Who asked: trace and span ids, baggage, and how they travel.
//!
//! A context goes in and out of carriers (HTTP headers, event attributes) in the forms that
//! [`Propagators`] lists, by default those of the W3C:
//! [Trace Context](https://www.w3.org/TR/trace-context-2/) and
//! [Baggage](https://www.w3.org/TR/baggage/). Within a thread the current context is a cell that
//! is set for one poll at a time, so it never leaks from one request into another.

mod baggage;
mod carrier;
pub(crate) mod current;
pub(crate) mod entered;
mod event;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod hex;
mod id;
mod propagators;
pub(crate) mod traceparent;
mod tracestate;

pub use baggage::Baggage;
pub use carrier::{Carrier, CarrierMut};
pub use current::{InCurrent, baggage, current, in_current, inject_current, with_baggage};
pub use event::add_event;
pub use id::{SpanId, TraceFlags, TraceId};
pub(crate) use propagators::extract_tracestate;
pub use propagators::{
    Propagator, Propagators, carries_context, extract, extract_baggage, inject, inject_baggage,
};
pub(crate) use traceparent::parse_traceparent;
pub use traceparent::traceparent;
pub use tracestate::TraceState;

/// The part of a span that travels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpanContext {
    /// Names the whole trace.
    pub trace_id: TraceId,
    /// Names the span within the trace.
    pub span_id: SpanId,
    /// Whether the trace is recorded.
    pub flags: TraceFlags,
    /// What other tracing systems sent along; passed on unchanged.
    pub tracestate: TraceState,
}

impl SpanContext {
    /// Both ids are set.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.trace_id.is_valid() && self.span_id.is_valid()
    }
}

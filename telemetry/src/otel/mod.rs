//! The OpenTelemetry API as another way in: its spans nest under ours and go the same way.

mod processor;
mod provider;

pub(crate) use processor::Encode;
pub(crate) use provider::tracer_provider;

use crate::context::Baggage;
use crate::context::current::Current;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, KeyValue};
use std::str::FromStr;

/// One of our contexts as the OpenTelemetry API sees it.
pub(crate) fn context(current: &Current) -> Context {
    let context = Context::new().with_remote_span_context(span_context(current));
    match &current.carried {
        Some(carried) if !carried.baggage.is_empty() => with_baggage(&context, &carried.baggage),
        _ => context,
    }
}

/// The OpenTelemetry API's current context with another span.
pub(crate) fn child_context(current: &Current) -> Context {
    Context::map_current(|context| context.with_remote_span_context(span_context(current)))
}

fn span_context(current: &Current) -> SpanContext {
    let state = current
        .carried
        .as_ref()
        .and_then(|carried| carried.tracestate.as_str());
    let state = state
        .and_then(|state| TraceState::from_str(state).ok())
        .unwrap_or_default();
    SpanContext::new(
        current.trace_id.0.into(),
        current.span_id.0.into(),
        TraceFlags::new(current.flags.0),
        false,
        state,
    )
}

/// The same context with our baggage in the place of its own.
pub(crate) fn with_baggage(context: &Context, baggage: &Baggage) -> Context {
    let members = baggage
        .iter()
        .map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    context.with_cleared_baggage().with_baggage(members)
}

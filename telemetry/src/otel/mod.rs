//! The OpenTelemetry API as another way in: its spans nest under ours and go the same way.

#[cfg(feature = "opentelemetry-sdk")]
mod processor;
#[cfg(feature = "opentelemetry-sdk")]
mod provider;
#[cfg(feature = "opentelemetry-sdk")]
mod providers;
#[cfg(feature = "opentelemetry-sdk")]
mod scopes;

#[cfg(feature = "opentelemetry-sdk")]
pub(crate) use providers::Providers;

use crate::context::current::Current;
use crate::context::{self, Baggage};
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
    let carried = current.carried.as_ref();
    let state = carried.map(|carried| theirs(&carried.tracestate));
    SpanContext::new(
        current.trace_id.0.into(),
        current.span_id.0.into(),
        TraceFlags::new(current.flags.w3c()),
        false,
        state.unwrap_or_default(),
    )
}

/// That API still has the grammar of level 1 for keys: what it cannot hold is left out there.
fn theirs(state: &context::TraceState) -> TraceState {
    let state = state.as_str().map(TraceState::from_str);
    state.and_then(Result::ok).unwrap_or_default()
}

/// The same context with our baggage in the place of its own.
pub(crate) fn with_baggage(context: &Context, baggage: &Baggage) -> Context {
    let members = baggage
        .iter()
        .map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    context.with_cleared_baggage().with_baggage(members)
}

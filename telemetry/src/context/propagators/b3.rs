//! [B3](https://github.com/openzipkin/b3-propagation) in one header and in several, as the
//! [specification](https://opentelemetry.io/docs/specs/otel/context/api-propagators/#b3-requirements)
//! wants it: both are read, the single header first.

use crate::context::carrier::only;
use crate::context::{
    Carrier, CarrierMut, SpanContext, SpanId, TraceFlags, TraceId, TraceState, hex,
};

pub(super) const B3: &str = "b3";
/// Of the several headers.
pub(super) const PREFIX: &str = "x-b3-";
const TRACE_ID: &str = "x-b3-traceid";
const SPAN_ID: &str = "x-b3-spanid";
const SAMPLED: &str = "x-b3-sampled";
const FLAGS: &str = "x-b3-flags";

pub(super) fn extract(carrier: &impl Carrier) -> Option<SpanContext> {
    only(carrier, B3)
        .and_then(single)
        .or_else(|| multi(carrier))
}

/// `{trace id}-{span id}-{state}-{parent's span id}`, the last two or the last left out, or the
/// state alone.
fn single(value: &[u8]) -> Option<SpanContext> {
    let mut parts = value.split(|byte| *byte == b'-');
    let first = parts.next()?;
    let Some(span_id) = parts.next() else {
        return Some(begins(state(first)?));
    };
    let flags = match parts.next() {
        None => TraceFlags::DEFERRED,
        Some(text) => state(text)?,
    };
    let parent = parts.next();
    if parts.next().is_some() || parent.is_some_and(|parent| span(parent).is_none()) {
        return None;
    }
    super::context(trace(first)?, span(span_id)?, flags)
}

fn multi(carrier: &impl Carrier) -> Option<SpanContext> {
    let flags = match (only(carrier, FLAGS), only(carrier, SAMPLED)) {
        (Some(b"1"), _) => state(b"d")?,
        (_, Some(b"true")) => TraceFlags::SAMPLED,
        (_, Some(b"false")) => TraceFlags(0),
        (_, Some(b"d")) => return None,
        (_, Some(text)) => state(text)?,
        (_, None) => TraceFlags::DEFERRED,
    };
    match (only(carrier, TRACE_ID), only(carrier, SPAN_ID)) {
        (Some(trace_id), Some(span_id)) => super::context(trace(trace_id)?, span(span_id)?, flags),
        (None, None) if !flags.has(TraceFlags::DEFERRED) => Some(begins(flags)),
        _ => None,
    }
}

/// Only whether a trace that begins here is recorded.
fn begins(flags: TraceFlags) -> SpanContext {
    SpanContext {
        trace_id: TraceId::random(),
        span_id: SpanId(0),
        flags: TraceFlags(flags.0 | TraceFlags::RANDOM.0),
        tracestate: TraceState::NONE,
    }
}

fn state(text: &[u8]) -> Option<TraceFlags> {
    match text {
        b"0" => Some(TraceFlags(0)),
        b"1" => Some(TraceFlags::SAMPLED),
        // Debug implies that the trace is recorded.
        b"d" => Some(TraceFlags(TraceFlags::SAMPLED.0 | TraceFlags::DEBUG.0)),
        _ => None,
    }
}

fn trace(digits: &[u8]) -> Option<u128> {
    matches!(digits.len(), 16 | 32)
        .then(|| hex::read_wide(digits))
        .flatten()
}

fn span(digits: &[u8]) -> Option<u64> {
    (digits.len() == 16).then(|| hex::read(digits)).flatten()
}

pub(super) fn inject(context: &SpanContext, carrier: &mut impl CarrierMut) {
    if context.is_valid() {
        let state = match context.flags {
            flags if flags.has(TraceFlags::DEBUG) => 'd',
            flags if flags.is_sampled() => '1',
            _ => '0',
        };
        let value = format!("{}-{}-{state}", context.trace_id, context.span_id);
        carrier.set(B3, &value);
    }
}

/// The parent's id is left out: server and client never share a span here.
pub(super) fn inject_multi(context: &SpanContext, carrier: &mut impl CarrierMut) {
    if !context.is_valid() {
        return;
    }
    carrier.set(TRACE_ID, &context.trace_id.to_string());
    carrier.set(SPAN_ID, &context.span_id.to_string());
    if context.flags.has(TraceFlags::DEBUG) {
        carrier.set(FLAGS, "1");
    } else {
        let sampled = context.flags.is_sampled();
        carrier.set(SAMPLED, if sampled { "1" } else { "0" });
    }
}

//! The format of the OpenTracing basic tracers: `ot-tracer-*`, and one header for each member of
//! the baggage. Its trace ids have 64 bits: what is sent is the right half of ours.

use crate::context::carrier::only;
use crate::context::{Baggage, Carrier, CarrierMut, SpanContext, TraceFlags, hex};

pub(super) const PREFIX: &str = "ot-tracer-";
const TRACE_ID: &str = "ot-tracer-traceid";
const SPAN_ID: &str = "ot-tracer-spanid";
const SAMPLED: &str = "ot-tracer-sampled";
pub(super) const BAGGAGE_PREFIX: &str = "ot-baggage-";

/// Baggage without a trace is left alone.
pub(super) fn extract(carrier: &impl Carrier) -> (Option<SpanContext>, Baggage) {
    let Some(context) = read(carrier) else {
        return (None, Baggage::EMPTY);
    };
    let mut baggage = Baggage::EMPTY;
    carrier.entries(&mut |key, value| {
        let key = key.strip_prefix(BAGGAGE_PREFIX);
        if let (Some(key), Ok(value)) = (key, std::str::from_utf8(value))
            && let Some(member) = Baggage::member(key, value)
        {
            baggage = std::mem::take(&mut baggage).merged(member);
        }
    });
    (Some(context), baggage)
}

fn read(carrier: &impl Carrier) -> Option<SpanContext> {
    let fits = |digits: &[u8], max| (1..=max).contains(&digits.len());
    let trace_id = only(carrier, TRACE_ID).filter(|digits| fits(digits, 32))?;
    let span_id = only(carrier, SPAN_ID).filter(|digits| fits(digits, 16))?;
    let flags = match only(carrier, SAMPLED) {
        None => TraceFlags::DEFERRED,
        Some(b"1" | b"true") => TraceFlags::SAMPLED,
        Some(_) => TraceFlags(0),
    };
    super::context(hex::read_wide(trace_id)?, hex::read(span_id)?, flags)
}

pub(super) fn inject(context: &SpanContext, baggage: &Baggage, carrier: &mut impl CarrierMut) {
    if !context.is_valid() {
        return;
    }
    let half = context.trace_id.0 as u64;
    carrier.set(TRACE_ID, &format!("{half:016x}"));
    carrier.set(SPAN_ID, &context.span_id.to_string());
    let sampled = context.flags.is_sampled();
    carrier.set(SAMPLED, if sampled { "true" } else { "false" });
    for (key, value) in baggage.iter() {
        carrier.set_owned(format!("{BAGGAGE_PREFIX}{key}"), value);
    }
}

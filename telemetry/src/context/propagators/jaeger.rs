//! [Jaeger](https://www.jaegertracing.io/sdk-migration/#propagation-format): `uber-trace-id`, and
//! one header for each member of the baggage.

use crate::context::carrier::only;
use crate::context::{Baggage, Carrier, CarrierMut, SpanContext, TraceFlags, hex};

pub(super) const TRACE_ID: &str = "uber-trace-id";
pub(super) const BAGGAGE_PREFIX: &str = "uberctx-";
/// Baggage that a person sends by hand: `key=value,key=value`.
pub(super) const BAGGAGE: &str = "jaeger-baggage";

const SAMPLED: u64 = 1;
const DEBUG: u64 = 2;

pub(super) fn extract(carrier: &impl Carrier) -> (Option<SpanContext>, Baggage) {
    let context = only(carrier, TRACE_ID).and_then(|value| {
        let value = std::str::from_utf8(value).ok()?;
        read(Baggage::decode(value).as_bytes())
    });
    let mut baggage = Baggage::EMPTY;
    carrier.values(BAGGAGE, &mut |value| {
        baggage = std::mem::take(&mut baggage).merged(Baggage::from_headers([value]));
    });
    carrier.entries(&mut |key, value| {
        let Some(key) = key.strip_prefix(BAGGAGE_PREFIX) else {
            return;
        };
        // Encoded as in a form: a plus sign is a space.
        let value = std::str::from_utf8(value).map(|value| value.replace('+', " "));
        let value = value.unwrap_or_default();
        if let Some(member) = Baggage::member(key, &Baggage::decode(&value)) {
            baggage = std::mem::take(&mut baggage).merged(member);
        }
    });
    (context, baggage)
}

/// `{trace id}:{span id}:{parent's span id}:{flags}`; leading zeros may be missing, the third is
/// deprecated and ignored.
fn read(value: &[u8]) -> Option<SpanContext> {
    let mut parts = value.split(|byte| *byte == b':');
    let (trace_id, span_id) = (parts.next()?, parts.next()?);
    let (_parent, flags) = (parts.next()?, parts.next()?);
    let fits = |digits: &[u8], max| (1..=max).contains(&digits.len());
    if parts.next().is_some() || !fits(trace_id, 32) || !fits(span_id, 16) || !fits(flags, 2) {
        return None;
    }
    let bits = hex::read(flags)?;
    let mut flags = TraceFlags(0).with_sampled(bits & (SAMPLED | DEBUG) != 0);
    if bits & DEBUG != 0 {
        flags.0 |= TraceFlags::DEBUG.0;
    }
    super::context(hex::read_wide(trace_id)?, hex::read(span_id)?, flags)
}

pub(super) fn inject(context: &SpanContext, baggage: &Baggage, carrier: &mut impl CarrierMut) {
    if context.is_valid() {
        let sampled = u64::from(context.flags.is_sampled()) * SAMPLED;
        let debug = u64::from(context.flags.has(TraceFlags::DEBUG)) * DEBUG;
        let (trace_id, span_id) = (context.trace_id, context.span_id);
        carrier.set(
            TRACE_ID,
            &format!("{trace_id}:{span_id}:0:{:02x}", sampled | debug),
        );
    }
    for (key, value) in baggage.iter() {
        carrier.set_owned(format!("{BAGGAGE_PREFIX}{key}"), &Baggage::encode(value));
    }
}

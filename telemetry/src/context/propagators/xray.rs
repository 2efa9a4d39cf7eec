//! [AWS X-Ray](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader):
//! `Root=1-{8 digits}-{24 digits};Parent={16 digits};Sampled={0, 1 or ?}`.

use crate::context::carrier::{only, trim};
use crate::context::{Carrier, CarrierMut, SpanContext, TraceFlags, hex};

pub(super) const TRACE_ID: &str = "x-amzn-trace-id";

pub(super) fn extract(carrier: &impl Carrier) -> Option<SpanContext> {
    let (mut trace_id, mut span_id) = (None, None);
    // A question mark, or nothing, leaves the decision to us.
    let mut flags = TraceFlags::DEFERRED;
    for field in only(carrier, TRACE_ID)?.split(|byte| *byte == b';') {
        let field = trim(field);
        if let Some(value) = field.strip_prefix(b"Root=") {
            trace_id = Some(root(value)?);
        } else if let Some(value) = field.strip_prefix(b"Parent=") {
            span_id = (value.len() == 16).then(|| hex::read(value)).flatten();
        } else if let Some(value) = field.strip_prefix(b"Sampled=") {
            flags = match value {
                b"0" => TraceFlags(0),
                b"1" => TraceFlags::SAMPLED,
                _ => TraceFlags::DEFERRED,
            };
        }
    }
    super::context(trace_id?, span_id?, flags)
}

/// Version, seconds of the epoch and a random rest.
fn root(value: &[u8]) -> Option<u128> {
    let value = value.strip_prefix(b"1-")?;
    if value.len() != 33 || value[8] != b'-' {
        return None;
    }
    let seconds = u128::from(hex::read(&value[..8])?);
    Some((seconds << 96) | hex::read_wide(&value[9..])?)
}

pub(super) fn inject(context: &SpanContext, carrier: &mut impl CarrierMut) {
    if context.is_valid() {
        let trace_id = context.trace_id.to_string();
        let (seconds, rest) = trace_id.split_at(8);
        let sampled = u8::from(context.flags.is_sampled());
        let parent = context.span_id;
        carrier.set(
            TRACE_ID,
            &format!("Root=1-{seconds}-{rest};Parent={parent};Sampled={sampled}"),
        );
    }
}

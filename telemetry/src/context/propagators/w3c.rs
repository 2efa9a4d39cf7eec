//! [Trace Context](https://www.w3.org/TR/trace-context-2/) and
//! [Baggage](https://www.w3.org/TR/baggage/) in and out of carriers.

use crate::context::carrier::only;
use crate::context::traceparent::{parse_traceparent, traceparent};
use crate::context::{Baggage, Carrier, CarrierMut, SpanContext, TraceState, baggage, tracestate};

pub(super) const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";
pub(super) const BAGGAGE: &str = "baggage";

/// Writes a context as `traceparent` and `tracestate`.
pub fn inject(context: &SpanContext, carrier: &mut impl CarrierMut) {
    if !context.is_valid() {
        return;
    }
    let bytes = traceparent(context);
    if let Ok(text) = std::str::from_utf8(&bytes) {
        carrier.set(TRACEPARENT, text);
    }
    if let Some(state) = context.tracestate.as_str() {
        carrier.set(TRACESTATE, state);
    }
}

/// Writes `baggage`, if there is any.
pub fn inject_baggage(baggage: &Baggage, carrier: &mut impl CarrierMut) {
    if !baggage.is_empty() {
        carrier.set(BAGGAGE, &baggage.to_string());
    }
}

/// Reads `traceparent` and `tracestate`. A missing, repeated or malformed `traceparent` is none; a
/// malformed `tracestate` does not lose the trace.
pub fn extract(carrier: &impl Carrier) -> Option<SpanContext> {
    let mut context = parse_traceparent(only(carrier, TRACEPARENT)?)?;
    context.tracestate = extract_tracestate(carrier);
    Some(context)
}

/// Reads `tracestate`.
pub(crate) fn extract_tracestate(carrier: &impl Carrier) -> TraceState {
    let mut list = None;
    carrier.values(TRACESTATE, &mut |value| {
        list.get_or_insert_with(tracestate::List::new).read(value);
    });
    list.map_or(TraceState::NONE, tracestate::List::finish)
}

/// Reads `baggage`; nothing is an empty one.
pub fn extract_baggage(carrier: &impl Carrier) -> Baggage {
    let mut list = baggage::List::default();
    carrier.values(BAGGAGE, &mut |value| list.read(value));
    list.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use std::collections::BTreeMap;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn good() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append("traceparent", GOOD.parse().unwrap());
        headers
    }

    #[test]
    fn a_repeated_traceparent_is_none_and_tracestates_are_joined() {
        let mut headers = good();
        headers.append("tracestate", "a=1".parse().unwrap());
        headers.append("tracestate", "b=2".parse().unwrap());
        assert_eq!(
            extract(&headers).unwrap().tracestate.as_str(),
            Some("a=1,b=2")
        );
        headers.append("traceparent", GOOD.parse().unwrap());
        assert_eq!(extract(&headers), None);
    }

    #[test]
    fn a_bad_tracestate_does_not_lose_the_trace() {
        let mut headers = good();
        headers.append("tracestate", "A=1".parse().unwrap());
        let context = extract(&headers).unwrap();
        assert_eq!(context.tracestate, TraceState::NONE);
    }

    #[test]
    fn headers_and_event_attributes_carry_alike() {
        let mut context = extract(&good()).unwrap();
        context.tracestate = TraceState::parse("a=1");
        let mut headers = HeaderMap::new();
        let mut attributes = BTreeMap::new();
        inject(&context, &mut headers);
        inject(&context, &mut attributes);
        assert_eq!(extract(&headers), Some(context.clone()));
        assert_eq!(extract(&attributes), Some(context));
        let baggage = Baggage::parse("a=1,b=x%20y");
        inject_baggage(&baggage, &mut headers);
        assert_eq!(extract_baggage(&headers), baggage);
        inject(&SpanContext::default(), &mut attributes);
        assert_eq!(attributes["traceparent"], GOOD);
    }
}

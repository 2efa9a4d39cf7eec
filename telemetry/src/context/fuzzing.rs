//! Checks of the propagators.

use super::traceparent::parse_traceparent;
use super::{Baggage, Propagator, Propagators, SpanContext, TraceFlags, TraceState};
use crate::fuzzing::{headers, lines};
use http::{HeaderMap, HeaderValue};

/// What is accepted is exactly the grammar, and is written as it was read.
pub(crate) fn traceparent(input: &[u8]) {
    let context = parse_traceparent(input);
    assert_eq!(context.is_some(), is_traceparent(input));
    let Some(context) = context else { return };
    assert!(context.is_valid());
    assert_eq!(context.flags.0 & !3, 0);
    let written = super::traceparent(&context);
    let read = super::carrier::trim(input);
    assert_eq!(written[2..53], read[2..53]);
    assert_eq!(parse_traceparent(&written), Some(context));
}

/// The grammar, in words: slow and plain.
fn is_traceparent(input: &[u8]) -> bool {
    let text = super::carrier::trim(input);
    let fields: Vec<&[u8]> = text.split(|byte| *byte == b'-').collect();
    let digits = |field: &[u8], len| {
        let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        field.len() == len && field.iter().all(digit)
    };
    let zeros = |field: &[u8]| field.iter().all(|byte| *byte == b'0');
    let [version, trace, span, flags, more @ ..] = &fields[..] else {
        return false;
    };
    digits(version, 2)
        && *version != b"ff"
        && (*version != b"00" || more.is_empty())
        && digits(trace, 32)
        && !zeros(trace)
        && digits(span, 16)
        && !zeros(span)
        && digits(flags, 2)
}

/// Each line is a header. Bounds hold, keys are unique, and what is written is read again.
pub(crate) fn tracestate(input: &[u8]) {
    let state = TraceState::from_headers(lines(input));
    whole_state(&state);
    let more = state.with("fuzzed", "1");
    whole_state(&more);
    assert_eq!(more.get("fuzzed"), Some("1"));
    assert!(
        more.as_str()
            .is_some_and(|text| text.starts_with("fuzzed=1"))
    );
    let less = more.without("fuzzed");
    whole_state(&less);
    assert_eq!(less.get("fuzzed"), None);
}

fn whole_state(state: &TraceState) {
    let Some(text) = state.as_str() else { return };
    assert!(!text.is_empty() && text.len() <= 1024);
    assert!(HeaderValue::from_str(text).is_ok());
    assert_eq!(TraceState::parse(text), *state);
    let members: Vec<_> = text.split(',').collect();
    assert!(members.len() <= 32);
    for (at, member) in members.iter().enumerate() {
        let (key, value) = member.split_once('=').unwrap_or_default();
        assert_eq!(state.get(key), Some(value), "{member}");
        let twice = |other: &&str| {
            other
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with('='))
        };
        assert_eq!(
            members.iter().position(twice),
            Some(at),
            "{key} is there twice"
        );
    }
}

/// Each line is a header. Bounds hold, and what is written is read again.
pub(crate) fn baggage(input: &[u8]) {
    let baggage = Baggage::from_headers(lines(input));
    whole_baggage(&baggage);
    let value = String::from_utf8_lossy(input);
    let more = baggage.with("fuzzed", &value);
    whole_baggage(&more);
    if more != baggage {
        assert_eq!(more.get("fuzzed"), Some(&*value));
    }
    assert_eq!(more.without("fuzzed"), baggage.without("fuzzed"));
}

fn whole_baggage(baggage: &Baggage) {
    let text = baggage.to_string();
    assert!(text.len() <= 8192);
    assert!(HeaderValue::from_str(&text).is_ok());
    assert_eq!(
        baggage.iter().count().min(65),
        baggage.iter().take(64).count()
    );
    assert_eq!(Baggage::parse(&text), *baggage);
    for (key, value) in baggage.iter() {
        assert_eq!(baggage.get(key), Some(value), "{key} is there twice");
    }
}

/// Each line is a header.
pub(crate) fn b3(input: &[u8]) {
    for format in [Propagator::B3, Propagator::B3Multi] {
        travels(format, input, u128::MAX);
    }
}

/// Each line is a header.
pub(crate) fn jaeger(input: &[u8]) {
    travels(Propagator::Jaeger, input, u128::MAX);
}

/// Each line is a header.
pub(crate) fn xray(input: &[u8]) {
    travels(Propagator::XRay, input, u128::MAX);
}

/// Each line is a header. Its trace ids have 64 bits.
pub(crate) fn ottrace(input: &[u8]) {
    travels(Propagator::OtTrace, input, u64::MAX.into());
}

/// What one service reads, the next one reads as well: the ids as far as the format has `bits`
/// for them, the decision if there is one, the baggage.
fn travels(format: Propagator, input: &[u8], bits: u128) {
    let format = Propagators::NONE.and(format);
    let (context, baggage) = format.extract(&headers(input));
    whole_baggage(&baggage);
    let Some(context) = context else { return };
    assert!(context.trace_id.is_valid());
    assert_eq!(context.tracestate, TraceState::NONE);
    let mut sent = HeaderMap::new();
    format.inject(&context, &baggage, &mut sent);
    if !context.is_valid() {
        assert_eq!(format.extract(&sent).0, None);
        return;
    }
    let (seen, carried) = format.extract(&sent);
    if context.trace_id.0 & bits == 0 {
        assert_eq!(seen, None);
        return;
    }
    let expected = SpanContext {
        trace_id: super::TraceId(context.trace_id.0 & bits),
        flags: TraceFlags(context.flags.0 & !TraceFlags::DEFERRED.0),
        ..context
    };
    assert_eq!(seen, Some(expected));
    for (key, value) in carried.iter() {
        // Names of headers have no case.
        let same = |(known, said): (&str, &str)| known.eq_ignore_ascii_case(key) && said == value;
        assert!(baggage.iter().any(same), "{key}");
    }
}

//! `traceparent`, `tracestate` and `baggage` in and out of carriers.

use super::current;
use super::{Baggage, Carrier, CarrierMut, SpanContext, SpanId, TraceFlags, TraceId, TraceState};

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
const BAGGAGE: &str = "baggage";

/// Which headers are read and written (`OTEL_PROPAGATORS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Propagators {
    /// `traceparent` and `tracestate`.
    pub tracecontext: bool,
    /// `baggage`.
    pub baggage: bool,
}

impl Default for Propagators {
    fn default() -> Self {
        Propagators {
            tracecontext: true,
            baggage: true,
        }
    }
}

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

/// Writes the current context and baggage, as far as the service's propagators say.
pub fn inject_current(carrier: &mut impl CarrierMut) {
    let propagators = current::propagators();
    if propagators.tracecontext
        && let Some(context) = current()
    {
        inject(&context, carrier);
    }
    if propagators.baggage {
        inject_baggage(&current::baggage(), carrier);
    }
}

/// Reads `traceparent` and `tracestate`. A missing, repeated or malformed `traceparent` is none.
pub fn extract(carrier: &impl Carrier) -> Option<SpanContext> {
    let mut seen = 0;
    let mut context = None;
    carrier.values(TRACEPARENT, &mut |value| {
        seen += 1;
        context = parse(value.trim_matches([' ', '\t']).as_bytes());
    });
    if seen != 1 {
        return None;
    }
    let mut context = context?;
    let mut state = String::new();
    carrier.values(TRACESTATE, &mut |value| {
        if !state.is_empty() {
            state.push(',');
        }
        state.push_str(value);
    });
    if !state.is_empty() {
        context.tracestate = TraceState::parse(&state);
    }
    Some(context)
}

/// Reads `baggage`; nothing is an empty one.
pub fn extract_baggage(carrier: &impl Carrier) -> Baggage {
    let mut header = String::new();
    carrier.values(BAGGAGE, &mut |value| {
        if !header.is_empty() {
            header.push(',');
        }
        header.push_str(value);
    });
    if header.is_empty() {
        Baggage::EMPTY
    } else {
        Baggage::parse(&header)
    }
}

/// `00-<trace id>-<span id>-<flags>`, the form of `traceparent` and `traceresponse`.
#[must_use]
pub fn traceparent(context: &SpanContext) -> [u8; 55] {
    let mut out = *b"00-00000000000000000000000000000000-0000000000000000-00";
    hex(&mut out[3..35], &context.trace_id.0.to_be_bytes());
    hex(&mut out[36..52], &context.span_id.0.to_be_bytes());
    hex(&mut out[53..55], &[context.flags.0]);
    out
}

fn hex(out: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// Version 00 is exact; a later version may go on after another dash.
fn parse(text: &[u8]) -> Option<SpanContext> {
    let head = text.get(..55)?;
    let version = unhex(&head[..2])?;
    if version == 0xff || head[2] != b'-' || head[35] != b'-' || head[52] != b'-' {
        return None;
    }
    match text.get(55) {
        None => {}
        Some(b'-') if version > 0 => {}
        Some(_) => return None,
    }
    let known = TraceFlags::SAMPLED.0 | TraceFlags::RANDOM.0;
    let context = SpanContext {
        trace_id: TraceId(
            (u128::from(unhex(&head[3..19])?) << 64) | u128::from(unhex(&head[19..35])?),
        ),
        span_id: SpanId(unhex(&head[36..52])?),
        flags: TraceFlags(u8::try_from(unhex(&head[53..55])?).ok()? & known),
        tracestate: TraceState::NONE,
    };
    context.is_valid().then_some(context)
}

/// Lowercase only: the recommendation calls uppercase invalid.
fn unhex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((value << 4) | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use std::collections::BTreeMap;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn from(value: &str) -> Option<SpanContext> {
        extract(&BTreeMap::from([(
            "traceparent".to_owned(),
            value.to_owned(),
        )]))
    }

    #[test]
    fn a_good_traceparent_comes_back_as_it_was() {
        let context = from(GOOD).unwrap();
        assert_eq!(
            context.trace_id.to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(context.span_id.to_string(), "b7ad6b7169203331");
        assert!(context.flags.is_sampled());
        assert_eq!(traceparent(&context), GOOD.as_bytes());
    }

    #[test]
    fn vectors_of_the_recommendation() {
        let rest = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        for (value, flags) in [
            (format!("00-{rest}-00"), Some(0)),
            (format!("00-{rest}-ff"), Some(3)),
            (format!(" 00-{rest}-01\t"), Some(1)),
            (format!("cc-{rest}-01"), Some(1)),
            (format!("cc-{rest}-01-what-the-future-brings"), Some(1)),
            (format!("cc-{rest}-01.what"), None),
            (format!("00-{rest}-01-extra"), None),
            (format!("00-{rest}-01-"), None),
            (format!("ff-{rest}-01"), None),
            (format!("0-{rest}-01"), None),
            (format!(".0-{rest}-01"), None),
            (format!("00-{rest}-1"), None),
            (format!("00-{rest}-.0"), None),
            (format!("00-{}-01", rest.to_uppercase()), None),
            (format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)), None),
            (
                format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16)),
                None,
            ),
            (
                "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01".to_owned(),
                None,
            ),
            (format!("00_{rest}-01"), None),
            (String::new(), None),
        ] {
            assert_eq!(
                from(&value).map(|context| context.flags.0),
                flags,
                "{value}"
            );
        }
    }

    #[test]
    fn a_repeated_traceparent_is_none_and_tracestates_are_joined() {
        let mut headers = HeaderMap::new();
        headers.append("traceparent", GOOD.parse().unwrap());
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
        let mut headers = HeaderMap::new();
        headers.append("traceparent", GOOD.parse().unwrap());
        headers.append("tracestate", "A=1".parse().unwrap());
        let context = extract(&headers).unwrap();
        assert_eq!(context.tracestate, TraceState::NONE);
    }

    #[test]
    fn headers_and_event_attributes_carry_alike() {
        let mut context = from(GOOD).unwrap();
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

    /// Every single byte of a good header replaced by every other.
    #[test]
    fn what_is_read_is_what_is_written() {
        for at in 0..GOOD.len() {
            for byte in 0..=u8::MAX {
                let mut text = GOOD.as_bytes().to_vec();
                text[at] = byte;
                let Some(context) = parse(&text) else {
                    continue;
                };
                assert!(context.is_valid());
                assert!(!text.iter().any(u8::is_ascii_uppercase));
                let written = traceparent(&context);
                // Version and unknown flags are ours, not the caller's.
                assert_eq!(written[2..53], text[2..53]);
            }
        }
    }
}

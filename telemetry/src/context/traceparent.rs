//! `traceparent` of [Trace Context level 2](https://www.w3.org/TR/trace-context-2/#traceparent-header).

use super::carrier::trim;
use super::{SpanContext, SpanId, TraceFlags, TraceId, TraceState, hex};

/// `00-<trace id>-<span id>-<flags>`, the form of `traceparent` and `traceresponse`.
#[must_use]
pub fn traceparent(context: &SpanContext) -> [u8; 55] {
    written(context.trace_id, context.span_id, context.flags)
}

pub(crate) fn written(trace_id: TraceId, span_id: SpanId, flags: TraceFlags) -> [u8; 55] {
    let mut out = *b"00-00000000000000000000000000000000-0000000000000000-00";
    out[3..19].copy_from_slice(&hex::write16((trace_id.0 >> 64) as u64));
    out[19..35].copy_from_slice(&hex::write16(trace_id.0 as u64));
    out[36..52].copy_from_slice(&hex::write16(span_id.0));
    hex::write(&mut out[53..55], &[flags.w3c()]);
    out
}

/// The context in the value of a `traceparent` header. Version 00 is exact; a later one may go on
/// after another dash, and of its flags only `sampled` is known to mean the same.
#[inline]
pub(crate) fn parse_traceparent(value: &[u8]) -> Option<SpanContext> {
    let text = match value.len() {
        55 => value,
        _ => trim(value),
    };
    let head: &[u8; 55] = text.first_chunk()?;
    let known = match (&head[..2], text.get(55)) {
        (b"00", None) => TraceFlags::SAMPLED.0 | TraceFlags::RANDOM.0,
        (b"00" | b"ff", _) => return None,
        (version, None | Some(b'-')) => {
            hex::read(version)?;
            TraceFlags::SAMPLED.0
        }
        _ => return None,
    };
    if head[2] != b'-' || head[35] != b'-' || head[52] != b'-' {
        return None;
    }
    let mut wrong = 0;
    let high = hex::read16(head[3..].first_chunk()?, &mut wrong);
    let low = hex::read16(head[19..].first_chunk()?, &mut wrong);
    let span_id = hex::read16(head[36..].first_chunk()?, &mut wrong);
    let flags = hex::read2(head[53..].first_chunk()?, &mut wrong);
    let context = SpanContext {
        trace_id: TraceId(u128::from(high) << 64 | u128::from(low)),
        span_id: SpanId(span_id),
        flags: TraceFlags(flags & known),
        tracestate: TraceState::NONE,
    };
    (wrong == 0 && context.is_valid()).then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_good_traceparent_comes_back_as_it_was() {
        for flags in ["00", "01", "02", "03"] {
            let text = GOOD.replace("-01", &format!("-{flags}"));
            let context = parse_traceparent(text.as_bytes()).unwrap();
            assert_eq!(
                context.trace_id.to_string(),
                "0af7651916cd43dd8448eb211c80319c"
            );
            assert_eq!(context.span_id.to_string(), "b7ad6b7169203331");
            assert_eq!(traceparent(&context), text.as_bytes());
        }
    }

    #[test]
    fn vectors_of_the_recommendation() {
        let rest = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        for (value, flags) in [
            (format!("00-{rest}-00"), Some(0)),
            (format!("00-{rest}-ff"), Some(3)),
            (format!(" 00-{rest}-01\t"), Some(1)),
            (format!("cc-{rest}-01"), Some(1)),
            (format!("cc-{rest}-ff"), Some(1)),
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
            let context = parse_traceparent(value.as_bytes());
            assert_eq!(context.map(|context| context.flags.0), flags, "{value}");
        }
    }

    /// Every single byte of a good header replaced by every other.
    #[test]
    fn what_is_read_is_what_is_written() {
        for at in 0..GOOD.len() {
            for byte in 0..=u8::MAX {
                let mut text = GOOD.as_bytes().to_vec();
                text[at] = byte;
                let Some(context) = parse_traceparent(&text) else {
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

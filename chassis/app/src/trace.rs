//! A trace that goes on later, maybe in another process: its context as text, for a row.

use std::collections::BTreeMap;

use telemetry::context::{self, SpanContext};

/// The current trace context as text; `{}` if there is none.
#[must_use]
pub fn current() -> String {
    written(&context::current().unwrap_or_default())
}

/// A trace context as text.
#[must_use]
pub fn written(span: &SpanContext) -> String {
    let mut carrier = BTreeMap::<String, String>::new();
    if span.is_valid() {
        context::inject(span, &mut carrier);
    }
    serde_json::to_string(&carrier).unwrap_or_default()
}

/// What [`written`] gave; an invalid context if it was none.
#[must_use]
pub fn read(text: &str) -> SpanContext {
    let carrier: BTreeMap<String, String> = serde_json::from_str(text).unwrap_or_default();
    context::extract(&carrier).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use telemetry::context::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    #[test]
    fn a_trace_survives_its_process() {
        let span = SpanContext {
            trace_id: TraceId::random(),
            span_id: SpanId::random(),
            flags: TraceFlags::SAMPLED,
            tracestate: TraceState::NONE,
        };
        assert_eq!(read(&written(&span)), span);
        for none in ["", "{}", "no", &written(&SpanContext::default())] {
            assert!(!read(none).is_valid(), "{none:?}");
        }
    }
}

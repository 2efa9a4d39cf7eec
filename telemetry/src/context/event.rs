//! What happens within a span, told by code that does not hold the span.

use super::current::{self, Current};
use crate::clock;
use crate::span::aside;
use crate::span::attributes::Attributes;
use crate::span::value::AttributeValue;
use opentelemetry::KeyValue;
use opentelemetry::trace::TraceContextExt;

/// Something happened just now in the current span, whoever made that: the HTTP edge, `tracing`, a
/// [`Span`](crate::Span) or the OpenTelemetry API. Outside any span, and in one that is not
/// recorded, nothing is kept and `attributes` are not asked for.
pub fn add_event<'v>(
    name: &'static str,
    attributes: impl IntoIterator<Item = (&'static str, AttributeValue<'v>)>,
) {
    let Some(recorded) = current::get().filter(Current::is_recording) else {
        return;
    };
    // A span of the OpenTelemetry API takes its events itself.
    let attributes = opentelemetry::Context::map_current(|context| {
        let span = context.span();
        if !span.is_recording() {
            return Some(attributes);
        }
        let pairs = attributes.into_iter();
        let pairs = pairs.map(|(key, value)| KeyValue::new(key, &value));
        span.add_event(name, pairs.collect());
        None
    });
    let Some(attributes) = attributes else { return };
    let limits = recorded.core.limits();
    let mut encoded = Attributes::empty();
    for (key, value) in attributes {
        encoded.push(limits, key, &value);
    }
    let at = clock::wall_now();
    aside::event(recorded.span_id, limits, at, name, encoded);
}

//! The variables that bound one span or log record. Those of a span or a log record stand before
//! those for all attributes.

use super::env::Environment;
use super::{Limits, LogLimits};

pub(super) fn spans(env: &Environment<'_>) -> Limits {
    let defaults = Limits::default();
    let mut limits = defaults;
    limits.attribute_count = count(env, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT")
        .or_else(|| count(env, "OTEL_ATTRIBUTE_COUNT_LIMIT"))
        .unwrap_or(defaults.attribute_count);
    limits.attribute_value_length = length(env, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT")
        .or_else(|| length(env, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"));
    for (limit, name) in [
        (&mut limits.event_count, "OTEL_SPAN_EVENT_COUNT_LIMIT"),
        (&mut limits.link_count, "OTEL_SPAN_LINK_COUNT_LIMIT"),
        (
            &mut limits.event_attribute_count,
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
        ),
        (
            &mut limits.link_attribute_count,
            "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
        ),
    ] {
        if let Some(count) = count(env, name) {
            *limit = count;
        }
    }
    limits
}

pub(super) fn logs(env: &Environment<'_>) -> LogLimits {
    LogLimits {
        attribute_count: count(env, "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT")
            .or_else(|| count(env, "OTEL_ATTRIBUTE_COUNT_LIMIT"))
            .unwrap_or(LogLimits::default().attribute_count),
        attribute_value_length: length(env, "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT")
            .or_else(|| length(env, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")),
    }
}

fn count(env: &Environment<'_>, name: &str) -> Option<u32> {
    let count = env.integer(name, 0)?;
    Some(u32::try_from(count).unwrap_or(u32::MAX))
}

fn length(env: &Environment<'_>, name: &str) -> Option<usize> {
    let length = env.integer(name, 0)?;
    Some(usize::try_from(length).unwrap_or(usize::MAX))
}

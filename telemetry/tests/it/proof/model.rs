//! What should arrive, by rules of its own: nothing here is shared with the crate.

use opentelemetry::{Array, Value};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};
use telemetry::SpanContext;
use telemetry::settings::Limits;

pub(super) struct Model {
    pub(super) limits: Limits,
    /// By span id.
    pub(super) expected: HashMap<u64, Expected>,
}

/// A span as it should arrive.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) span: Span,
    pub(super) scope: Scope,
    /// The times are given; otherwise they are the clock's.
    pub(super) timed: bool,
    /// Attributes are some of these, as many as there may be: a limit does not say which.
    pub(super) any_of: Option<usize>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    #[default]
    Ours,
    Library,
}

impl Model {
    pub(super) fn new(limits: Limits) -> Model {
        Model {
            limits,
            expected: HashMap::new(),
        }
    }

    pub(super) fn expect(&mut self, expected: Expected) {
        let id = u64::from_be_bytes(expected.span.span_id[..].try_into().unwrap());
        assert!(self.expected.insert(id, expected).is_none());
    }

    pub(super) fn text(&self, text: &str) -> Any {
        let limit = self.limits.attribute_value_length.unwrap_or(usize::MAX);
        Any::StringValue(text.chars().take(limit).collect())
    }

    pub(super) fn bytes(&self, bytes: &[u8]) -> Any {
        let limit = self.limits.attribute_value_length.unwrap_or(usize::MAX);
        Any::BytesValue(bytes.iter().copied().take(limit).collect())
    }

    pub(super) fn value(&self, value: &Value) -> Any {
        let list = |values: Vec<Any>| {
            let values = values
                .into_iter()
                .map(|value| AnyValue { value: Some(value) });
            Any::ArrayValue(ArrayValue {
                values: values.collect(),
            })
        };
        match value {
            Value::Bool(value) => Any::BoolValue(*value),
            Value::I64(value) => Any::IntValue(*value),
            Value::F64(value) => Any::DoubleValue(*value),
            Value::String(value) => self.text(value.as_str()),
            Value::Array(Array::Bool(values)) => {
                list(values.iter().copied().map(Any::BoolValue).collect())
            }
            Value::Array(Array::I64(values)) => {
                list(values.iter().copied().map(Any::IntValue).collect())
            }
            Value::Array(Array::F64(values)) => {
                list(values.iter().copied().map(Any::DoubleValue).collect())
            }
            Value::Array(Array::String(values)) => {
                list(values.iter().map(|text| self.text(text.as_str())).collect())
            }
            other => panic!("the API has grown: {other:?}"),
        }
    }
}

/// Attributes within a limit: one value a key, the last.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) pairs: Vec<KeyValue>,
    pub(super) dropped: u32,
    limit: usize,
}

impl Pairs {
    pub(super) fn new(limit: u32) -> Pairs {
        Pairs {
            limit: limit as usize,
            ..Pairs::default()
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.pairs.iter().any(|pair| pair.key == key)
    }

    pub(super) fn set(&mut self, key: &str, value: Any) {
        self.pairs.retain(|pair| pair.key != key);
        if self.pairs.len() < self.limit {
            self.pairs.push(pair(key, value));
        } else {
            self.dropped += 1;
        }
    }
}

pub(super) fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

pub(super) fn error(message: &str) -> Status {
    Status {
        code: 2,
        message: message.to_owned(),
    }
}

/// The ids of a span.
pub(super) fn span(context: &SpanContext, parent: Option<(u64, bool)>) -> Span {
    Span {
        trace_id: context.trace_id.0.to_be_bytes().to_vec(),
        span_id: context.span_id.0.to_be_bytes().to_vec(),
        trace_state: context.tracestate.as_str().unwrap_or_default().to_owned(),
        parent_span_id: parent.map_or(Vec::new(), |(id, _)| id.to_be_bytes().to_vec()),
        flags: flags(context.flags.0, parent.is_some_and(|(_, remote)| remote)),
        ..Span::default()
    }
}

/// `SpanFlags` of trace.proto: the W3C flags, then "is remote is known" and "is remote".
pub(super) fn flags(w3c: u8, remote: bool) -> u32 {
    u32::from(w3c) | 1 << 8 | u32::from(remote) << 9
}

pub(super) fn unix_nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// Order means nothing; bytes are compared, so that a NaN equals itself.
fn sorted(mut span: Span) -> Span {
    let by_key = |a: &KeyValue, b: &KeyValue| a.key.cmp(&b.key);
    span.attributes.sort_by(by_key);
    for event in &mut span.events {
        event.attributes.sort_by(by_key);
    }
    for link in &mut span.links {
        link.attributes.sort_by(by_key);
    }
    span
}

impl Expected {
    pub(super) fn check(self, arrived: Span, scope: &InstrumentationScope, schema_url: &str) {
        match self.scope {
            Scope::Ours => {
                assert_eq!(scope.name, "citywatch-telemetry");
                assert!(schema_url.starts_with("https://opentelemetry.io/schemas/"));
            }
            Scope::Library => {
                assert_eq!(
                    (scope.name.as_str(), scope.version.as_str()),
                    ("library", "2")
                );
                assert_eq!(scope.attributes, [pair("pool", Any::IntValue(3))]);
                assert_eq!(schema_url, "https://example.org/schema");
            }
        }
        let (mut expected, mut arrived) = (sorted(self.span), sorted(arrived));
        if !self.timed {
            let now = unix_nanos(SystemTime::now());
            let (start, end) = (arrived.start_time_unix_nano, arrived.end_time_unix_nano);
            // A minute is for a clock that is set, an hour ago for a machine that was busy.
            assert!(
                start <= end && end < now + 60_000_000_000,
                "{start} {end} {now}"
            );
            assert!(start > now - 3_600_000_000_000, "{start} {now}");
            for event in &mut arrived.events {
                // The wall clock may be corrected between an event and its span's end.
                let second = 1_000_000_000;
                assert!((start - second..=end + second).contains(&event.time_unix_nano));
                event.time_unix_nano = 0;
            }
            (arrived.start_time_unix_nano, arrived.end_time_unix_nano) = (0, 0);
        }
        if let Some(limit) = self.any_of {
            let all = expected.attributes.len();
            assert_eq!(arrived.attributes.len(), all.min(limit), "{arrived:#?}");
            expected.dropped_attributes_count = (all - all.min(limit)) as u32;
            let kept = &arrived.attributes;
            expected
                .attributes
                .retain(|one| kept.iter().any(|k| k.key == one.key));
        }
        if expected.encode_to_vec() != arrived.encode_to_vec() {
            panic!("{}", difference(&expected, &arrived));
        }
    }
}

/// From the first line that differs on.
fn difference(expected: &Span, arrived: &Span) -> String {
    let (expected, arrived) = (format!("{expected:#?}"), format!("{arrived:#?}"));
    let same = std::iter::zip(expected.lines(), arrived.lines()).take_while(|(a, b)| a == b);
    let from = same.count().saturating_sub(12);
    let part = |text: &str| {
        let lines: Vec<_> = text.lines().skip(from).take(60).collect();
        lines.join("\n")
    };
    format!("expected …{}\narrived …{}", part(&expected), part(&arrived))
}

//! OTLP for tests, made with the reference implementation.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use prost::Message as _;
use serde_json::Value;

/// A moment for spans to start at, nanoseconds since 1970: noon UTC of 1 January 2026.
pub(crate) const NOON: u64 = 1_767_268_800_000_000_000;

pub(crate) fn any(value: impl Into<AnyInput>) -> AnyValue {
    AnyValue {
        value: Some(value.into().0),
    }
}

pub(crate) struct AnyInput(Any);

impl From<&str> for AnyInput {
    fn from(text: &str) -> Self {
        AnyInput(Any::StringValue(text.to_owned()))
    }
}

impl From<i64> for AnyInput {
    fn from(int: i64) -> Self {
        AnyInput(Any::IntValue(int))
    }
}

impl From<f64> for AnyInput {
    fn from(double: f64) -> Self {
        AnyInput(Any::DoubleValue(double))
    }
}

impl From<bool> for AnyInput {
    fn from(bool: bool) -> Self {
        AnyInput(Any::BoolValue(bool))
    }
}

impl From<Vec<u8>> for AnyInput {
    fn from(bytes: Vec<u8>) -> Self {
        AnyInput(Any::BytesValue(bytes))
    }
}

pub(crate) fn attribute(key: &str, value: impl Into<AnyInput>) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(any(value)),
        ..KeyValue::default()
    }
}

/// A span of trace `trace` that starts `start` and lasts `micros` microseconds.
pub(crate) fn span(trace: u128, id: u64, parent: u64, name: &str, start: u64, micros: u64) -> Span {
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 {
            Vec::new()
        } else {
            parent.to_be_bytes().to_vec()
        },
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + micros * 1_000,
        ..Span::default()
    }
}

pub(crate) fn failed(mut span: Span, message: &str) -> Span {
    span.status = Some(Status {
        message: message.to_owned(),
        code: 2,
    });
    span
}

pub(crate) fn resource_spans(service: &str, spans: Vec<Span>) -> ResourceSpans {
    let attributes = vec![
        attribute("service.name", service),
        attribute("host.name", "a"),
    ];
    ResourceSpans {
        resource: Some(Resource {
            attributes,
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "samples".to_owned(),
                ..Default::default()
            }),
            spans,
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    }
}

pub(crate) fn request(resource_spans: Vec<ResourceSpans>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest { resource_spans }
}

pub(crate) fn encoded(service: &str, spans: Vec<Span>) -> Vec<u8> {
    request(vec![resource_spans(service, spans)]).encode_to_vec()
}

/// A request from its OTLP JSON form, for the fields that the fixtures use.
pub(crate) fn from_json(request: &Value) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: list(&request["resourceSpans"], |resource_spans| ResourceSpans {
            resource: Some(Resource {
                attributes: attributes(&resource_spans["resource"]["attributes"]),
                ..Resource::default()
            }),
            scope_spans: list(&resource_spans["scopeSpans"], |scope_spans| ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: string(&scope_spans["scope"]["name"]),
                    version: string(&scope_spans["scope"]["version"]),
                    attributes: attributes(&scope_spans["scope"]["attributes"]),
                    ..Default::default()
                }),
                spans: list(&scope_spans["spans"], json_span),
                ..ScopeSpans::default()
            }),
            ..ResourceSpans::default()
        }),
    }
}

fn json_span(from: &Value) -> Span {
    Span {
        trace_id: hex(&from["traceId"]),
        span_id: hex(&from["spanId"]),
        parent_span_id: hex(&from["parentSpanId"]),
        trace_state: string(&from["traceState"]),
        flags: number(&from["flags"]) as u32,
        name: string(&from["name"]),
        kind: number(&from["kind"]) as i32,
        start_time_unix_nano: number(&from["startTimeUnixNano"]) as u64,
        end_time_unix_nano: number(&from["endTimeUnixNano"]) as u64,
        attributes: attributes(&from["attributes"]),
        events: list(&from["events"], |event| span::Event {
            time_unix_nano: number(&event["timeUnixNano"]) as u64,
            name: string(&event["name"]),
            attributes: attributes(&event["attributes"]),
            ..span::Event::default()
        }),
        links: list(&from["links"], |link| span::Link {
            trace_id: hex(&link["traceId"]),
            span_id: hex(&link["spanId"]),
            attributes: attributes(&link["attributes"]),
            ..span::Link::default()
        }),
        status: Some(Status {
            message: string(&from["status"]["message"]),
            code: number(&from["status"]["code"]) as i32,
        }),
        ..Span::default()
    }
}

fn attributes(from: &Value) -> Vec<KeyValue> {
    list(from, |attribute| KeyValue {
        key: string(&attribute["key"]),
        value: Some(json_any(&attribute["value"])),
        ..KeyValue::default()
    })
}

fn json_any(from: &Value) -> AnyValue {
    use base64::Engine as _;
    let Some((kind, value)) = from.as_object().and_then(|object| object.iter().next()) else {
        return AnyValue::default();
    };
    let value = match kind.as_str() {
        "stringValue" => Any::StringValue(string(value)),
        "boolValue" => Any::BoolValue(value.as_bool().unwrap()),
        "intValue" => Any::IntValue(number(value) as i64),
        "doubleValue" => Any::DoubleValue(value.as_f64().unwrap()),
        "bytesValue" => Any::BytesValue(
            base64::engine::general_purpose::STANDARD
                .decode(value.as_str().unwrap())
                .unwrap(),
        ),
        "arrayValue" => Any::ArrayValue(ArrayValue {
            values: list(&value["values"], json_any),
        }),
        "kvlistValue" => Any::KvlistValue(KeyValueList {
            values: attributes(&value["values"]),
        }),
        other => panic!("no such kind of value: {other}"),
    };
    AnyValue { value: Some(value) }
}

fn list<T>(from: &Value, read: impl Fn(&Value) -> T) -> Vec<T> {
    from.as_array()
        .map(|list| list.iter().map(read).collect())
        .unwrap_or_default()
}

fn string(from: &Value) -> String {
    from.as_str().unwrap_or_default().to_owned()
}

fn number(from: &Value) -> i128 {
    match from {
        Value::String(digits) => digits.parse().unwrap(),
        Value::Number(number) => i128::from(number.as_i64().unwrap()),
        _ => 0,
    }
}

fn hex(from: &Value) -> Vec<u8> {
    let digits = string(from);
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

/// Reproducible noise: splitmix64.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

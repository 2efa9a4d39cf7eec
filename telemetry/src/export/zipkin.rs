//! OTLP's spans as Zipkin's, version 2 in JSON, by the
//! [transformation](https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/zipkin/) and the
//! [mapping to other formats](https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/).

use super::json::{double, text};
use super::message::values;
use crate::wire::Wire;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use std::io::Write as _;
use std::net::IpAddr;

/// Where the remote endpoint of a client's span is looked for, with the attribute that has its
/// port; the first that is there counts.
const REMOTE: [(&str, &str); 11] = [
    ("peer.service", ""),
    ("server.address", "server.port"),
    ("net.peer.name", "net.peer.port"),
    ("network.peer.address", "network.peer.port"),
    ("server.socket.domain", ""),
    ("server.socket.address", "server.socket.port"),
    ("net.sock.peer.name", ""),
    ("net.sock.peer.addr", "net.sock.peer.port"),
    ("peer.hostname", ""),
    ("peer.address", ""),
    ("db.name", ""),
];

/// The spans of an `ExportTraceServiceRequest` as a list of Zipkin's.
pub(super) fn to_zipkin(request: &[u8]) -> Vec<u8> {
    let mut out = vec![b'['];
    for resource_spans in messages(request, 1) {
        let resource = messages(resource_spans, 1).last().unwrap_or_default();
        let service = attributes(resource, 1)
            .find(|(key, _)| *key == "service.name")
            .map(|(_, value)| plain(value));
        for scope_spans in messages(resource_spans, 2) {
            let scope = messages(scope_spans, 1).last().unwrap_or_default();
            for span in messages(scope_spans, 2) {
                if out.len() > 1 {
                    out.push(b',');
                }
                write_span(
                    &mut out,
                    service.as_deref().unwrap_or_default(),
                    scope,
                    span,
                );
            }
        }
    }
    out.push(b']');
    out
}

fn write_span(out: &mut Vec<u8>, service: &str, scope: &[u8], span: &[u8]) {
    let id = |number| messages(span, number).last().unwrap_or_default();
    let (trace_id, span_id, parent) = (id(1), id(2), id(4));
    // Writing to memory does not fail.
    out.extend_from_slice(b"{\"traceId\":\"");
    crate::log::hex(out, trace_id);
    out.extend_from_slice(b"\",\"id\":\"");
    crate::log::hex(out, span_id);
    if !parent.is_empty() {
        out.extend_from_slice(b"\",\"parentId\":\"");
        crate::log::hex(out, parent);
    }
    out.extend_from_slice(b"\",\"name\":");
    text(out, &string(span, 5));
    let kind = match varint(span, 6) {
        2 => "SERVER",
        3 => "CLIENT",
        4 => "PRODUCER",
        5 => "CONSUMER",
        _ => "",
    };
    if !kind.is_empty() {
        let _ = write!(out, ",\"kind\":\"{kind}\"");
    }
    let (start, end) = (fixed64(span, 7), fixed64(span, 8));
    // What takes less than a microsecond is given one: Zipkin takes 0 for unknown.
    let micros = (end.saturating_sub(start) / 1_000).max(1);
    let _ = write!(
        out,
        ",\"timestamp\":{},\"duration\":{micros}",
        start / 1_000
    );
    out.extend_from_slice(b",\"localEndpoint\":{\"serviceName\":");
    text(out, service);
    out.push(b'}');
    if matches!(kind, "CLIENT" | "PRODUCER") {
        remote_endpoint(out, span);
    }
    annotations(out, span);
    tags(out, scope, span);
    out.push(b'}');
}

fn remote_endpoint(out: &mut Vec<u8>, span: &[u8]) {
    let value = |key: &str| {
        let found = attributes(span, 9).find(|(known, _)| *known == key);
        found.map(|(_, value)| plain(value))
    };
    let Some((address, port)) = REMOTE
        .iter()
        .find_map(|(key, port)| Some((value(key)?, *port)))
    else {
        return;
    };
    out.extend_from_slice(b",\"remoteEndpoint\":{");
    out.extend_from_slice(match address.parse() {
        Ok(IpAddr::V4(_)) => b"\"ipv4\":",
        Ok(IpAddr::V6(_)) => b"\"ipv6\":",
        Err(_) => b"\"serviceName\":",
    });
    text(out, &address);
    if let Some(port) = value(port).and_then(|port| port.parse::<u16>().ok()) {
        let _ = write!(out, ",\"port\":{port}");
    }
    out.push(b'}');
}

/// Events; their attributes go into the text.
fn annotations(out: &mut Vec<u8>, span: &[u8]) {
    let mut before = ",\"annotations\":[";
    for event in messages(span, 11) {
        let _ = write!(out, "{before}{{\"timestamp\":{}", fixed64(event, 1) / 1_000);
        before = ",";
        let mut value = string(event, 2).into_bytes();
        let mut pairs = Vec::new();
        for (key, attribute) in attributes(event, 3) {
            pairs.push(if pairs.is_empty() { b'{' } else { b',' });
            text(&mut pairs, key);
            pairs.push(b':');
            json(&mut pairs, attribute);
        }
        if !pairs.is_empty() {
            let mut quoted = Vec::new();
            text(&mut quoted, &String::from_utf8_lossy(&value));
            value = [&quoted[..], b":", &pairs, b"}"].concat();
        }
        out.extend_from_slice(b",\"value\":");
        text(out, &String::from_utf8_lossy(&value));
        out.push(b'}');
    }
    if before == "," {
        out.push(b']');
    }
}

fn tags(out: &mut Vec<u8>, scope: &[u8], span: &[u8]) {
    let mut before = ",\"tags\":{";
    let mut tag = |key: &str, value: &str| {
        out.extend_from_slice(before.as_bytes());
        before = ",";
        text(out, key);
        out.push(b':');
        text(out, value);
    };
    let status = messages(span, 15).last().unwrap_or_default();
    for (key, value) in attributes(span, 9) {
        // Whatever it says, Zipkin takes a span that has it for failed.
        if key != "error" {
            tag(key, &plain(value));
        }
    }
    match varint(status, 3) {
        1 => tag("otel.status_code", "OK"),
        2 => {
            tag("otel.status_code", "ERROR");
            tag("error", &string(status, 2));
        }
        _ => {}
    }
    for (key, value) in [
        ("otel.scope.name", string(scope, 1)),
        ("otel.scope.version", string(scope, 2)),
    ] {
        if !value.is_empty() {
            tag(key, &value);
        }
    }
    for (key, number) in [
        ("otel.dropped_attributes_count", 10),
        ("otel.dropped_events_count", 12),
        ("otel.dropped_links_count", 14),
    ] {
        let dropped = varint(span, number);
        if dropped > 0 {
            tag(key, &dropped.to_string());
        }
    }
    if before == "," {
        out.push(b'}');
    }
}

fn messages(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    values(message, number).filter_map(|value| value.bytes().ok())
}

fn string(message: &[u8], number: u64) -> String {
    let text = messages(message, number).last().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn varint(message: &[u8], number: u64) -> u64 {
    let value = values(message, number).last();
    value.and_then(|value| value.varint().ok()).unwrap_or(0)
}

fn fixed64(message: &[u8], number: u64) -> u64 {
    let value = values(message, number).last();
    value.and_then(|value| value.fixed64().ok()).unwrap_or(0)
}

/// Keys and `AnyValue`s.
fn attributes(message: &[u8], number: u64) -> impl Iterator<Item = (&str, &[u8])> {
    messages(message, number).filter_map(|pair| {
        let key = messages(pair, 1).last()?;
        let value = messages(pair, 2).last().unwrap_or_default();
        Some((std::str::from_utf8(key).ok()?, value))
    })
}

/// An `AnyValue` as a tag: text as it is, everything else as in JSON.
fn plain(any: &[u8]) -> String {
    if values(any, 1).next().is_some() {
        return string(any, 1);
    }
    let mut out = Vec::new();
    json(&mut out, any);
    String::from_utf8_lossy(&out).into_owned()
}

/// An `AnyValue` as plain JSON.
fn json(out: &mut Vec<u8>, any: &[u8]) {
    let first = |number| values(any, number).last();
    if first(1).is_some() {
        text(out, &string(any, 1));
    } else if let Some(Wire::Varint(bool)) = first(2) {
        let _ = write!(out, "{}", bool != 0);
    } else if let Some(Wire::Varint(integer)) = first(3) {
        let _ = write!(out, "{}", integer.cast_signed());
    } else if let Some(Wire::Fixed64(bits)) = first(4) {
        double(out, f64::from_le_bytes(bits));
    } else if let Some(Wire::Bytes(list)) = first(5) {
        out.push(b'[');
        for (at, element) in messages(list, 1).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            json(out, element);
        }
        out.push(b']');
    } else if let Some(Wire::Bytes(map)) = first(6) {
        out.push(b'{');
        for (at, (key, value)) in attributes(map, 1).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            text(out, key);
            out.push(b':');
            json(out, value);
        }
        out.push(b'}');
    } else if let Some(Wire::Bytes(bytes)) = first(7) {
        let _ = write!(out, "\"{}\"", Base64Display::new(bytes, &STANDARD));
    } else {
        out.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{
        AnyValue, ArrayValue, InstrumentationScope, KeyValue,
    };
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::span::Event;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
    use prost::Message;
    use serde_json::json;

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    fn attribute(key: &str, value: Value) -> KeyValue {
        KeyValue {
            key: key.to_owned(),
            value: Some(any(value)),
            ..KeyValue::default()
        }
    }

    fn text(text: &str) -> Value {
        Value::StringValue(text.to_owned())
    }

    fn zipkin(spans: Vec<Span>) -> serde_json::Value {
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: vec![attribute("service.name", text("orders"))],
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: "ours".to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        serde_json::from_slice(&to_zipkin(&request.encode_to_vec())).unwrap()
    }

    #[test]
    fn a_span_with_everything() {
        let span = Span {
            trace_id: vec![0xab; 16],
            span_id: vec![0xcd; 8],
            parent_span_id: vec![1; 8],
            name: "GET \"x\"".to_owned(),
            kind: 3,
            start_time_unix_nano: 1_700_000_000_123_456_789,
            end_time_unix_nano: 1_700_000_000_123_458_023,
            attributes: vec![
                attribute("bool", Value::BoolValue(false)),
                attribute("int", Value::IntValue(-3)),
                attribute("double", Value::DoubleValue(0.5)),
                attribute(
                    "list",
                    Value::ArrayValue(ArrayValue {
                        values: vec![any(text("a\"b")), any(Value::IntValue(1))],
                    }),
                ),
                attribute("error", Value::BoolValue(false)),
                attribute("server.address", text("10.0.0.7")),
                attribute("server.port", Value::IntValue(5432)),
                attribute("peer.hostname", text("not-this")),
            ],
            dropped_attributes_count: 2,
            events: vec![
                Event {
                    time_unix_nano: 1_700_000_000_123_457_000,
                    name: "retry".to_owned(),
                    attributes: vec![attribute("n", Value::IntValue(2))],
                    ..Event::default()
                },
                Event {
                    time_unix_nano: 1_700_000_000_123_457_000,
                    name: "bare".to_owned(),
                    ..Event::default()
                },
            ],
            status: Some(Status {
                message: "no".to_owned(),
                code: 2,
            }),
            ..Span::default()
        };
        let expected = json!([{
            "traceId": "abababababababababababababababab",
            "id": "cdcdcdcdcdcdcdcd",
            "parentId": "0101010101010101",
            "name": "GET \"x\"",
            "kind": "CLIENT",
            "timestamp": 1_700_000_000_123_456_u64,
            "duration": 1,
            "localEndpoint": {"serviceName": "orders"},
            "remoteEndpoint": {"ipv4": "10.0.0.7", "port": 5432},
            "annotations": [
                {"timestamp": 1_700_000_000_123_457_u64, "value": "\"retry\":{\"n\":2}"},
                {"timestamp": 1_700_000_000_123_457_u64, "value": "bare"},
            ],
            "tags": {
                "bool": "false", "int": "-3", "double": "0.5", "list": "[\"a\\\"b\",1]",
                "server.address": "10.0.0.7", "server.port": "5432", "peer.hostname": "not-this",
                "otel.status_code": "ERROR", "error": "no", "otel.scope.name": "ours",
                "otel.dropped_attributes_count": "2",
            },
        }]);
        assert_eq!(zipkin(vec![span]), expected);
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let internal = Span {
            trace_id: vec![1; 16],
            span_id: vec![1; 8],
            kind: 1,
            start_time_unix_nano: 5_000,
            end_time_unix_nano: 5_100,
            ..Span::default()
        };
        let producer = Span {
            kind: 4,
            attributes: vec![attribute("peer.service", text("mail"))],
            status: Some(Status {
                code: 1,
                ..Status::default()
            }),
            ..internal.clone()
        };
        let spans = zipkin(vec![internal, producer]);
        let keys: Vec<_> = spans[0].as_object().unwrap().keys().collect();
        let expected = [
            "duration",
            "id",
            "localEndpoint",
            "name",
            "tags",
            "timestamp",
            "traceId",
        ];
        assert_eq!(keys, expected);
        assert_eq!(spans[0]["duration"], 1);
        assert_eq!(spans[1]["remoteEndpoint"], json!({"serviceName": "mail"}));
        assert_eq!(spans[1]["tags"]["otel.status_code"], "OK");
        assert_eq!(to_zipkin(&[]), b"[]");
    }
}

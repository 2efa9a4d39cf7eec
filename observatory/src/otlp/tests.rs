//! Walk and decoder against the reference implementation, and against hostile bytes.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{self as common, InstrumentationScope, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, span as parts};
use prost::Message as _;

use super::decode;
use super::value::AnyValue;
use super::walk::{Refusal, Sink, check, walk};
use super::wire::{put_bytes, put_varint};
use crate::samples::{NOON, Noise, any, attribute, encoded, failed, request, resource_spans, span};
use crate::store::{OriginBytes, SpanHead};

#[derive(Default)]
struct Seen<'a> {
    origin: OriginBytes<'a>,
    spans: Vec<(String, SpanHead<'a>)>,
    origins: Vec<OriginBytes<'a>>,
    refused: Vec<Refusal>,
}

impl<'a> Sink<'a> for Seen<'a> {
    fn origin(&mut self, origin: OriginBytes<'a>) {
        self.origin = origin.clone();
        self.origins.push(origin);
    }

    fn span(&mut self, head: SpanHead<'a>) {
        self.spans.push((self.origin.service.clone(), head));
    }

    fn refused(&mut self, refusal: Refusal) {
        self.refused.push(refusal);
    }
}

fn seen(bytes: &[u8]) -> Seen<'_> {
    let mut seen = Seen::default();
    walk(bytes, &mut seen).unwrap();
    seen
}

/// Everything that a span can carry.
fn rich() -> ExportTraceServiceRequest {
    let mut one = failed(span(7, 8, 9, "GET /a", NOON, 1_500), "it broke");
    one.kind = 3;
    one.flags = 0x101;
    one.trace_state = "k=v".to_owned();
    one.attributes = vec![
        attribute("text", "한글"),
        attribute("int", -5),
        attribute("double", 72.5),
        attribute("bool", true),
        attribute("bytes", vec![0, 0, 48, 57]),
        common::KeyValue {
            key: "none".to_owned(),
            ..Default::default()
        },
        common::KeyValue {
            key: "map".to_owned(),
            value: Some(common::AnyValue {
                value: Some(Any::KvlistValue(KeyValueList {
                    values: vec![attribute("b", 1), attribute("a", "x")],
                })),
            }),
            ..Default::default()
        },
    ];
    one.events = vec![parts::Event {
        time_unix_nano: NOON + 5,
        name: "retry".to_owned(),
        attributes: vec![attribute("n", 2)],
        ..Default::default()
    }];
    one.links = vec![parts::Link {
        trace_id: 1u128.to_be_bytes().to_vec(),
        span_id: 2u64.to_be_bytes().to_vec(),
        attributes: vec![attribute("why", "batch")],
        ..Default::default()
    }];
    request(vec![
        resource_spans("shop/front", vec![one, span(7, 9, 0, "root", NOON, 2_000)]),
        resource_spans("stock", vec![span(70, 1, 0, "other", NOON, 1)]),
    ])
}

#[test]
fn the_walk_finds_what_the_reference_decodes() {
    let request = rich();
    let bytes = request.encode_to_vec();
    let seen = seen(&bytes);
    let mut found = seen.spans.iter();
    for resource_spans in &request.resource_spans {
        let service = resource_spans.resource.as_ref().unwrap().attributes[0]
            .value
            .clone();
        for span in &resource_spans.scope_spans[0].spans {
            let (name, head) = found.next().unwrap();
            assert_eq!(Some(any(name.as_str())), service);
            assert_eq!(head.trace_id.0.to_be_bytes().to_vec(), span.trace_id);
            assert_eq!(head.span_id.0.to_be_bytes().to_vec(), span.span_id);
            assert_eq!(head.parent_id.is_none(), span.parent_span_id.is_empty());
            assert_eq!(head.name, span.name.as_bytes());
            assert_eq!(
                (head.start, head.end),
                (span.start_time_unix_nano, span.end_time_unix_nano)
            );
            assert_eq!(i32::from(head.kind), span.kind);
            assert_eq!(
                i32::from(head.status),
                span.status.as_ref().map_or(0, |s| s.code)
            );
            assert_eq!(head.raw, span.encode_to_vec());
        }
    }
    assert!(found.next().is_none());
    assert!(seen.refused.is_empty());
}

#[test]
fn the_decoder_reads_what_the_reference_wrote() {
    let request = rich();
    let bytes = request.encode_to_vec();
    let seen = seen(&bytes);
    let span = decode::Span::decode(seen.spans[0].1.raw);
    assert!(!span.damaged);
    assert_eq!(
        (span.name.as_ref(), span.trace_state.as_ref()),
        ("GET /a", "k=v")
    );
    assert_eq!(
        (span.status_message.as_ref(), span.flags),
        ("it broke", 0x101)
    );
    let texts: Vec<_> = span
        .attributes
        .iter()
        .map(|a| (&*a.key, a.value.to_text()))
        .collect();
    let expected = [
        ("text", "한글"),
        ("int", "-5"),
        ("double", "72.5"),
        ("bool", "true"),
        ("bytes", "AAAwOQ=="),
        ("none", ""),
        ("map", "{\"a\":\"x\",\"b\":1}"),
    ];
    assert_eq!(texts, expected.map(|(key, text)| (key, text.into())));
    assert_eq!(
        (span.events[0].time, span.events[0].name.as_ref()),
        (NOON + 5, "retry")
    );
    assert_eq!(span.events[0].attributes[0].value, AnyValue::Int(2));
    assert_eq!((span.links[0].trace_id.0, span.links[0].span_id.0), (1, 2));
    assert_eq!(span.links[0].attributes[0].value.to_text(), "batch");
    let resource = decode::resource_attributes(&seen.origins[0].resource);
    assert_eq!(resource[1].value.to_text(), "a");
    assert_eq!(
        decode::Scope::decode(&seen.origins[0].scope).name,
        "samples"
    );
}

#[test]
fn bad_ids_are_refused_one_by_one() {
    let good = || span(1, 2, 3, "x", NOON, 1);
    let mut spans = vec![good(), good(), good(), good(), good(), good()];
    spans[0].trace_id = vec![0; 16];
    spans[1].trace_id = vec![1; 8];
    spans[2].span_id.clear();
    spans[3].span_id = vec![0; 8];
    spans[4].parent_span_id = vec![1; 4];
    let bytes = encoded("a", spans);
    let seen = seen(&bytes);
    assert_eq!(seen.spans.len(), 1);
    let (trace, id, parent) = (Refusal::Trace, Refusal::Span, Refusal::Parent);
    assert_eq!(seen.refused, [trace, trace, id, id, parent]);
}

#[test]
fn a_resource_may_follow_its_spans_or_come_in_pieces() {
    let resource = Resource {
        attributes: vec![attribute("service.name", "late")],
        ..Default::default()
    };
    let more = Resource {
        attributes: vec![attribute("k", "v")],
        ..Default::default()
    };
    let scope = ScopeSpans {
        spans: vec![span(1, 2, 0, "x", NOON, 1)],
        ..Default::default()
    };
    let mut resource_spans = Vec::new();
    put_bytes(&mut resource_spans, 2, &scope.encode_to_vec());
    put_bytes(&mut resource_spans, 1, &more.encode_to_vec());
    put_bytes(&mut resource_spans, 1, &resource.encode_to_vec());
    let mut bytes = Vec::new();
    put_bytes(&mut bytes, 1, &resource_spans);
    // Unknown fields, also of an old kind, are no error.
    put_bytes(&mut bytes, 99, b"future");
    bytes.extend_from_slice(&[0x83, 0x06, 0x08, 0x01, 0x84, 0x06]);
    let seen = seen(&bytes);
    assert_eq!(seen.spans[0].0, "late");
    assert_eq!(
        decode::resource_attributes(&seen.origins[0].resource).len(),
        2
    );
    assert!(ExportTraceServiceRequest::decode(&bytes[..]).is_ok());
}

#[test]
fn services_without_a_usable_name_have_one() {
    for attributes in [
        vec![],
        vec![attribute("service.name", "")],
        vec![attribute("service.name", 5)],
        vec![attribute("service.names", "x")],
    ] {
        let resource = Some(Resource {
            attributes,
            ..Default::default()
        });
        let scope = Some(InstrumentationScope::default());
        let spans = vec![span(1, 2, 0, "x", NOON, 1)];
        let scope_spans = vec![ScopeSpans {
            scope,
            spans,
            ..Default::default()
        }];
        let bytes = request(vec![ResourceSpans {
            resource,
            scope_spans,
            ..Default::default()
        }]);
        let bytes = bytes.encode_to_vec();
        assert_eq!(seen(&bytes).spans[0].0, super::walk::NO_SERVICE);
    }
}

/// What the reference decodes is well formed here; the walk may accept more, for it skips what
/// it does not read.
#[test]
fn hostile_bytes_never_panic_and_good_ones_are_never_refused() {
    let good = rich().encode_to_vec();
    let mut noise = Noise(1);
    let mut both = 0;
    for round in 0..60_000 {
        let mut bytes = good.clone();
        match round % 4 {
            0 => bytes.truncate(noise.below(good.len() as u64) as usize),
            1 => bytes = (0..noise.below(200)).map(|_| noise.next() as u8).collect(),
            2 => {
                for _ in 0..=noise.below(4) {
                    let at = noise.below(bytes.len() as u64) as usize;
                    bytes[at] = noise.next() as u8;
                }
            }
            _ => {
                let at = noise.below(bytes.len() as u64) as usize;
                let end = at + noise.below((bytes.len() - at) as u64 + 1) as usize;
                bytes.drain(at..end);
            }
        }
        let checked = check(&bytes);
        if ExportTraceServiceRequest::decode(&bytes[..]).is_ok() {
            assert_eq!(checked, Ok(()), "{bytes:02x?}");
            both += 1;
        }
        if checked.is_ok() {
            let seen = seen(&bytes);
            for (_, head) in &seen.spans {
                let span = decode::Span::decode(head.raw);
                let texts = span
                    .attributes
                    .iter()
                    .map(|attribute| attribute.value.to_text().len());
                assert!(texts.sum::<usize>() <= 64 * bytes.len());
            }
            for origin in &seen.origins {
                decode::resource_attributes(&origin.resource);
                decode::Scope::decode(&origin.scope);
            }
        }
    }
    assert!(
        both > 1_000,
        "the rounds must hold well-formed requests too, not only {both}"
    );
}

#[test]
fn a_length_that_lies_allocates_nothing() {
    let mut bytes = vec![0x0a];
    put_varint(&mut bytes, u64::MAX >> 1);
    bytes.extend_from_slice(&[0x0a; 64]);
    assert!(check(&bytes).is_err());
}

#[test]
fn damage_within_a_span_leaves_the_rest_readable() {
    let mut raw = span(1, 2, 0, "still here", NOON, 1).encode_to_vec();
    let key_without_end = [0x0a, 0x7f, b'k'];
    put_bytes(&mut raw, 9, &key_without_end);
    put_bytes(&mut raw, 9, &attribute("good", "x").encode_to_vec());
    let span = decode::Span::decode(&raw);
    assert!(span.damaged);
    assert_eq!(span.name, "still here");
    assert_eq!(span.attributes[0].key, "good");
}

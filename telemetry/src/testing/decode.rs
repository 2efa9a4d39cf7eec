//! OTLP trace requests back into spans
//! (github.com/open-telemetry/opentelemetry-proto, `trace/v1/trace.proto`).

use std::collections::BTreeMap;

use super::span::{Event, Kind, Link, Span, Status, Value};
use crate::context::{SpanId, TraceId};
use crate::wire::{Fields, Malformed, Wire};

type Attributes = BTreeMap<String, Value>;

/// The spans of an `ExportTraceServiceRequest`.
pub(crate) fn request(bytes: &[u8]) -> Result<Vec<Span>, Malformed> {
    let mut spans = Vec::new();
    for field in Fields::of(bytes) {
        if let (1, resource_spans) = field? {
            read_resource_spans(resource_spans.bytes()?, &mut spans)?;
        }
    }
    Ok(spans)
}

fn read_resource_spans(bytes: &[u8], spans: &mut Vec<Span>) -> Result<(), Malformed> {
    let first = spans.len();
    let mut resource = Attributes::new();
    for field in Fields::of(bytes) {
        match field? {
            (1, message) => {
                for field in Fields::of(message.bytes()?) {
                    if let (1, pair) = field? {
                        attribute(pair, &mut resource)?;
                    }
                }
            }
            (2, scope_spans) => read_scope_spans(scope_spans.bytes()?, spans)?,
            _ => {}
        }
    }
    for span in &mut spans[first..] {
        span.resource.clone_from(&resource);
    }
    Ok(())
}

fn read_scope_spans(bytes: &[u8], spans: &mut Vec<Span>) -> Result<(), Malformed> {
    let first = spans.len();
    let mut scope = String::new();
    for field in Fields::of(bytes) {
        match field? {
            (1, message) => {
                for field in Fields::of(message.bytes()?) {
                    if let (1, name) = field? {
                        scope = name.string()?;
                    }
                }
            }
            (2, span) => spans.push(read_span(span.bytes()?)?),
            _ => {}
        }
    }
    for span in &mut spans[first..] {
        span.scope.clone_from(&scope);
    }
    Ok(())
}

fn read_span(bytes: &[u8]) -> Result<Span, Malformed> {
    let mut span = Span::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, id) => span.trace_id = trace_id(id)?,
            (2, id) => span.span_id = span_id(id)?,
            (3, state) => span.trace_state = state.string()?,
            (4, id) => span.parent_span_id = Some(span_id(id)?).filter(|id| id.is_valid()),
            (5, name) => span.name = name.string()?,
            (6, kind) => span.kind = Kind::from_number(kind.varint()?),
            (7, nanos) => span.start_nanos = nanos.fixed64()?,
            (8, nanos) => span.end_nanos = nanos.fixed64()?,
            (9, pair) => attribute(pair, &mut span.attributes)?,
            (10, count) => span.dropped_attributes = dropped(count)?,
            (11, event) => span.events.push(read_event(event.bytes()?)?),
            (12, count) => span.dropped_events = dropped(count)?,
            (13, link) => span.links.push(read_link(link.bytes()?)?),
            (14, count) => span.dropped_links = dropped(count)?,
            (15, status) => span.status = read_status(status.bytes()?)?,
            (16, flags) => span.flags = flags.fixed32()?,
            _ => {}
        }
    }
    Ok(span)
}

fn dropped(count: Wire<'_>) -> Result<u32, Malformed> {
    u32::try_from(count.varint()?).map_err(|_| Malformed("a count has more than 32 bits"))
}

fn trace_id(id: Wire<'_>) -> Result<TraceId, Malformed> {
    let id = id
        .bytes()?
        .try_into()
        .map_err(|_| Malformed("a trace id has not 16 bytes"))?;
    Ok(TraceId(u128::from_be_bytes(id)))
}

fn span_id(id: Wire<'_>) -> Result<SpanId, Malformed> {
    let id = id.bytes()?;
    if id.is_empty() {
        return Ok(SpanId::default());
    }
    let id = id
        .try_into()
        .map_err(|_| Malformed("a span id has not 8 bytes"))?;
    Ok(SpanId(u64::from_be_bytes(id)))
}

fn read_event(bytes: &[u8]) -> Result<Event, Malformed> {
    let mut event = Event::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, nanos) => event.at_nanos = nanos.fixed64()?,
            (2, name) => event.name = name.string()?,
            (3, pair) => attribute(pair, &mut event.attributes)?,
            (4, count) => event.dropped_attributes = dropped(count)?,
            _ => {}
        }
    }
    Ok(event)
}

fn read_link(bytes: &[u8]) -> Result<Link, Malformed> {
    let mut link = Link::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, id) => link.trace_id = trace_id(id)?,
            (2, id) => link.span_id = span_id(id)?,
            (3, state) => link.trace_state = state.string()?,
            (4, pair) => attribute(pair, &mut link.attributes)?,
            (5, count) => link.dropped_attributes = dropped(count)?,
            (6, flags) => link.flags = flags.fixed32()?,
            _ => {}
        }
    }
    Ok(link)
}

fn read_status(bytes: &[u8]) -> Result<Status, Malformed> {
    let (mut code, mut message) = (0, String::new());
    for field in Fields::of(bytes) {
        match field? {
            (2, text) => message = text.string()?,
            (3, number) => code = number.varint()?,
            _ => {}
        }
    }
    match code {
        0 => Ok(Status::Unset),
        1 => Ok(Status::Ok),
        2 => Ok(Status::Error(message)),
        _ => Err(Malformed("an unknown status code")),
    }
}

fn attribute(pair: Wire<'_>, attributes: &mut Attributes) -> Result<(), Malformed> {
    let (mut key, mut value) = (String::new(), Value::Empty);
    for field in Fields::of(pair.bytes()?) {
        match field? {
            (1, text) => key = text.string()?,
            (2, any) => value = any_value(any.bytes()?)?,
            _ => {}
        }
    }
    match attributes.insert(key, value) {
        None => Ok(()),
        Some(_) => Err(Malformed("an attribute is there twice")),
    }
}

fn any_value(bytes: &[u8]) -> Result<Value, Malformed> {
    let mut value = Value::Empty;
    for field in Fields::of(bytes) {
        value = match field? {
            (1, text) => Value::String(text.string()?),
            (2, number) => Value::Bool(number.varint()? != 0),
            (3, number) => Value::Int(number.varint()?.cast_signed()),
            (4, bits) => Value::Double(f64::from_bits(bits.fixed64()?)),
            (5, list) => Value::Array(
                Fields::of(list.bytes()?)
                    .filter_map(|field| match field {
                        Ok((1, any)) => Some(any.bytes().and_then(any_value)),
                        Ok(_) => None,
                        Err(malformed) => Some(Err(malformed)),
                    })
                    .collect::<Result<_, _>>()?,
            ),
            (6, list) => {
                let mut map = Attributes::new();
                for field in Fields::of(list.bytes()?) {
                    if let (1, pair) = field? {
                        attribute(pair, &mut map)?;
                    }
                }
                Value::Map(map)
            }
            (7, bytes) => Value::Bytes(bytes.bytes()?.to_vec()),
            _ => continue,
        };
    }
    Ok(value)
}

//! One pass over an `ExportTraceServiceRequest` that reads only what the store indexes.
//!
//! Attributes, events and links are skipped by their length and decoded when somebody asks for
//! the span ([`super::decode`]). A pass allocates nothing that grows with the request, so that
//! a hostile request costs no more than its own size.
//! Schema: opentelemetry-proto `collector/trace/v1/trace_service.proto`, `trace/v1/trace.proto`.

use std::borrow::Cow;

use super::wire::{Fields, Malformed};
use crate::store::{OriginBytes, SpanHead, SpanId, TraceId};

/// Receives what a walk finds, in the order of the wire.
pub(crate) trait Sink<'a> {
    /// The spans that follow come from this resource and scope.
    fn origin(&mut self, origin: OriginBytes<'a>);
    fn span(&mut self, head: SpanHead<'a>);
    fn refused(&mut self, refusal: Refusal);
}

/// Why one span is refused while the rest of its request is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// Its trace id is missing, zero, or not of 16 bytes.
    Trace,
    /// Its own id is missing, zero, or not of 8 bytes.
    Span,
    /// Its parent's id is there and not of 8 bytes.
    Parent,
}

impl Refusal {
    pub(crate) const ALL: [Refusal; 3] = [Refusal::Trace, Refusal::Span, Refusal::Parent];

    /// The label value of the counter.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Refusal::Trace => "invalid_trace_id",
            Refusal::Span => "invalid_span_id",
            Refusal::Parent => "invalid_parent_span_id",
        }
    }
}

/// Walks a whole request. A malformed request may have called the sink before the damage is
/// found: who must not act on half a request walks it twice, first with [`check`].
pub(crate) fn walk<'a>(request: &'a [u8], sink: &mut impl Sink<'a>) -> Result<(), Malformed> {
    let mut fields = Fields::of(request);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            resource_spans(value.bytes()?, sink)?;
        }
    }
    Ok(())
}

/// Is the request well formed, as far as a walk looks?
pub(crate) fn check(request: &[u8]) -> Result<(), Malformed> {
    struct Nothing;
    impl<'a> Sink<'a> for Nothing {
        fn origin(&mut self, _: OriginBytes<'a>) {}
        fn span(&mut self, _: SpanHead<'a>) {}
        fn refused(&mut self, _: Refusal) {}
    }
    walk(request, &mut Nothing)
}

fn resource_spans<'a>(message: &'a [u8], sink: &mut impl Sink<'a>) -> Result<(), Malformed> {
    // The resource may follow its spans on the wire, so it is looked for first.
    let mut resource = Cow::Borrowed(&[][..]);
    let mut schema_url = &[][..];
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => join(&mut resource, value.bytes()?),
            3 => schema_url = value.bytes()?,
            _ => {}
        }
    }
    let origin = OriginBytes {
        service: service_name(&resource)?,
        resource,
        resource_schema_url: schema_url,
        ..OriginBytes::default()
    };
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if number == 2 {
            scope_spans(value.bytes()?, origin.clone(), sink)?;
        }
    }
    Ok(())
}

fn scope_spans<'a>(
    message: &'a [u8],
    mut origin: OriginBytes<'a>,
    sink: &mut impl Sink<'a>,
) -> Result<(), Malformed> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => join(&mut origin.scope, value.bytes()?),
            3 => origin.scope_schema_url = value.bytes()?,
            _ => {}
        }
    }
    sink.origin(origin);
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        if number == 2 {
            match span(value.bytes()?)? {
                Ok(head) => sink.span(head),
                Err(refusal) => sink.refused(refusal),
            }
        }
    }
    Ok(())
}

/// A message field that occurs twice is the concatenation of both: that is how protobuf merges.
fn join<'a>(to: &mut Cow<'a, [u8]>, more: &'a [u8]) {
    if to.is_empty() {
        *to = Cow::Borrowed(more);
    } else {
        to.to_mut().extend_from_slice(more);
    }
}

fn span(raw: &[u8]) -> Result<Result<SpanHead<'_>, Refusal>, Malformed> {
    let mut trace_id = &[][..];
    let mut span_id = &[][..];
    let mut parent_id = &[][..];
    let mut head = SpanHead {
        raw,
        ..SpanHead::default()
    };
    let mut fields = Fields::of(raw);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => trace_id = value.bytes()?,
            2 => span_id = value.bytes()?,
            4 => parent_id = value.bytes()?,
            5 => head.name = value.bytes()?,
            6 => head.kind = kind(value.varint()?),
            7 => head.start = value.fixed64()?,
            8 => head.end = value.fixed64()?,
            15 => status(value.bytes()?, &mut head.status)?,
            // What is skipped must at least be of the right shape: attributes, events, links.
            3 | 9 | 11 | 13 => {
                value.bytes()?;
            }
            _ => {}
        }
    }
    let Some(trace) = TraceId::from_wire(trace_id) else {
        return Ok(Err(Refusal::Trace));
    };
    let Some(id) = SpanId::from_wire(span_id) else {
        return Ok(Err(Refusal::Span));
    };
    let Some(parent) = SpanId::parent_from_wire(parent_id) else {
        return Ok(Err(Refusal::Parent));
    };
    head.trace_id = trace;
    head.span_id = id;
    head.parent_id = parent;
    Ok(Ok(head))
}

/// Kinds beyond those of the schema are unspecified.
fn kind(value: u64) -> u8 {
    if value <= 5 { value as u8 } else { 0 }
}

fn status(message: &[u8], code: &mut u8) -> Result<(), Malformed> {
    let mut fields = Fields::of(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            2 => {
                value.bytes()?;
            }
            // Codes beyond those of the schema say nothing.
            3 => {
                let known = value.varint()?;
                *code = if known <= 2 { known as u8 } else { 0 };
            }
            _ => {}
        }
    }
    Ok(())
}

/// What a resource without a usable `service.name` is called (the name Jaeger gives it).
pub(crate) const NO_SERVICE: &str = "OTLPResourceNoServiceName";

/// `service.name` of a resource: the first attribute of that key, if it is a string.
pub(crate) fn service_name(resource: &[u8]) -> Result<String, Malformed> {
    let mut found = None;
    let mut fields = Fields::of(resource);
    while let Some((number, value)) = fields.next()? {
        if number == 1 && found.is_none() {
            found = service_attribute(value.bytes()?)?;
        }
    }
    let name = found.map(String::from_utf8_lossy).unwrap_or_default();
    Ok(if name.is_empty() {
        NO_SERVICE.to_owned()
    } else {
        name.into_owned()
    })
}

fn service_attribute(attribute: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut key = &[][..];
    let mut content = &[][..];
    let mut fields = Fields::of(attribute);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => key = value.bytes()?,
            2 => content = value.bytes()?,
            _ => {}
        }
    }
    if key != b"service.name" {
        return Ok(None);
    }
    let mut fields = Fields::of(content);
    let mut name = None;
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            name = Some(value.bytes()?);
        }
    }
    Ok(name)
}

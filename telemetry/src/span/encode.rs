//! The fields of an OTLP
//! [`Span`](https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto).

use super::{aside, proto};
use crate::context::current::Current;
use crate::context::{SpanContext, SpanId, TraceFlags, TraceId};
use std::time::Duration;

/// The tag of an attribute within a span.
pub(crate) const ATTRIBUTE: u8 = 0x4a;

/// What a span is for its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A step within a service.
    #[default]
    Internal = 1,
    /// The callee's side of a request.
    Server = 2,
    /// The caller's side of a request.
    Client = 3,
    /// Sends a message, and does not wait for its consumer.
    Producer = 4,
    /// Works on a message.
    Consumer = 5,
}

/// The span that caused another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    /// Not valid for the first span of a trace.
    pub(crate) span_id: SpanId,
    /// It belongs to another process.
    pub(crate) remote: bool,
}

impl Parent {
    pub(crate) const NONE: Parent = Parent {
        span_id: SpanId(0),
        remote: false,
    };
}

/// Ids and times of a span that ended at `end`, in nanoseconds since the Unix epoch.
pub(crate) fn opening(
    out: &mut Vec<u8>,
    span: &Current,
    parent: Parent,
    end: u64,
    duration: Duration,
) {
    let carried = span.carried.as_ref();
    let tracestate = carried.and_then(|carried| carried.tracestate.as_str());
    ids(
        out,
        span.trace_id,
        span.span_id,
        tracestate,
        parent,
        span.flags,
    );
    aside::finish(span.span_id, out);
    // The start is taken from the end, so that a correction of the clock never turns time around.
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    times(out, end.saturating_sub(nanos), end);
}

pub(crate) fn ids(
    out: &mut Vec<u8>,
    trace_id: TraceId,
    span_id: SpanId,
    tracestate: Option<&str>,
    parent: Parent,
    flags: TraceFlags,
) {
    // What every span has goes in at once.
    let mut always = *b"\x0a\x10................\x12\x08........\x85\x01....";
    always[2..18].copy_from_slice(&trace_id.0.to_be_bytes());
    always[20..28].copy_from_slice(&span_id.0.to_be_bytes());
    always[30..].copy_from_slice(&flag_word(flags, parent.remote).to_le_bytes());
    out.extend_from_slice(&always);
    if let Some(state) = tracestate {
        proto::bytes(out, 0x1a, state.as_bytes());
    }
    if parent.span_id.is_valid() {
        let mut caused = *b"\x22\x08........";
        caused[2..].copy_from_slice(&parent.span_id.0.to_be_bytes());
        out.extend_from_slice(&caused);
    }
}

/// Bit 8 says that bit 9, "the parent is remote", is known.
fn flag_word(flags: TraceFlags, remote: bool) -> u32 {
    u32::from(flags.w3c()) | 0x100 | if remote { 0x200 } else { 0 }
}

pub(crate) fn name(out: &mut Vec<u8>, name: &str) {
    proto::bytes(out, 0x2a, name.as_bytes());
}

pub(crate) fn kind(out: &mut Vec<u8>, kind: Kind) {
    out.extend_from_slice(&[0x30, kind as u8]);
}

/// Nanoseconds since the Unix epoch.
pub(crate) fn times(out: &mut Vec<u8>, start: u64, end: u64) {
    let mut both = *b"\x39........\x41........";
    both[1..9].copy_from_slice(&start.to_le_bytes());
    both[10..].copy_from_slice(&end.to_le_bytes());
    out.extend_from_slice(&both);
}

/// A link to a span of another trace, without attributes.
pub(crate) fn link(out: &mut Vec<u8>, context: &SpanContext, remote: bool) {
    out.push(0x6a);
    proto::varint(out, link_len(context) as u64);
    link_fields(out, context, remote);
}

/// The length of [`link_fields`].
pub(super) fn link_len(context: &SpanContext) -> usize {
    let state = context.tracestate.as_str().map_or(0, |state| {
        1 + proto::varint_len(state.len() as u64) + state.len()
    });
    18 + 10 + state + 5
}

pub(super) fn link_fields(out: &mut Vec<u8>, context: &SpanContext, remote: bool) {
    out.extend_from_slice(&[0x0a, 16]);
    out.extend_from_slice(&context.trace_id.0.to_be_bytes());
    out.extend_from_slice(&[0x12, 8]);
    out.extend_from_slice(&context.span_id.0.to_be_bytes());
    if let Some(state) = context.tracestate.as_str() {
        proto::bytes(out, 0x1a, state.as_bytes());
    }
    out.push(0x35);
    out.extend_from_slice(&flag_word(context.flags, remote).to_le_bytes());
}

/// `STATUS_CODE_ERROR`, with a description if there is more to say than the attributes do.
pub(crate) fn error_status(out: &mut Vec<u8>, description: &str) {
    let mut status = Vec::new();
    if !description.is_empty() {
        proto::bytes(&mut status, 0x12, description.as_bytes());
    }
    status.extend_from_slice(&[0x18, 2]);
    proto::bytes(out, 0x7a, &status);
}

/// `STATUS_CODE_OK`.
pub(crate) fn ok_status(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x7a, 2, 0x18, 1]);
}

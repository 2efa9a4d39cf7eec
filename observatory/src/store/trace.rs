//! One trace in memory: its spans' bytes, one after the other, and a row for each.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{SpanId, TraceId};

/// What the walk reads of a span; the store keeps `raw` and indexes the rest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SpanHead<'a> {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    /// Zero: a root.
    pub parent_id: SpanId,
    pub name: &'a [u8],
    /// Nanoseconds since 1970.
    pub start: u64,
    pub end: u64,
    /// OTLP's `SpanKind`, 0 to 5.
    pub kind: u8,
    /// OTLP's `StatusCode`: 0 unset, 1 ok, 2 error.
    pub status: u8,
    /// The whole `Span` message.
    pub raw: &'a [u8],
}

/// Where spans come from, on the wire.
#[derive(Debug, Clone, Default)]
pub(crate) struct OriginBytes<'a> {
    pub service: String,
    /// The `Resource` message.
    pub resource: Cow<'a, [u8]>,
    pub resource_schema_url: &'a [u8],
    /// The `InstrumentationScope` message.
    pub scope: Cow<'a, [u8]>,
    pub scope_schema_url: &'a [u8],
}

impl OriginBytes<'_> {
    pub(super) fn len(&self) -> usize {
        self.service.len()
            + self.resource.len()
            + self.resource_schema_url.len()
            + self.scope.len()
            + self.scope_schema_url.len()
    }
}

/// Where spans come from, kept once for all spans that share it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub service: Arc<str>,
    pub resource: Box<[u8]>,
    pub scope: Box<[u8]>,
    pub resource_schema_url: Box<[u8]>,
    pub scope_schema_url: Box<[u8]>,
}

/// A span's row: all that a search without attributes looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpanRow {
    pub start: u64,
    pub end: u64,
    pub span_id: SpanId,
    pub parent_id: SpanId,
    /// Where its bytes begin in the trace's buffer; they end where the next row's begin.
    pub(super) offset: u32,
    pub(super) origin: u32,
    pub(super) operation: u32,
    pub kind: u8,
    pub status: u8,
}

impl SpanRow {
    /// Nanoseconds; a span that ends before it starts lasts no time.
    pub(crate) fn duration(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    pub(crate) fn is_error(&self) -> bool {
        self.status == 2
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub id: TraceId,
    pub(super) rows: Vec<SpanRow>,
    pub(super) raw: Vec<u8>,
    /// When its first span came in, nanoseconds since 1970.
    pub received: u64,
    /// Earliest and latest start of a span.
    pub first_start: u64,
    pub last_start: u64,
}

impl Trace {
    pub(super) fn new(id: TraceId, received: u64) -> Self {
        let (first_start, last_start) = (u64::MAX, 0);
        Trace {
            id,
            rows: Vec::new(),
            raw: Vec::new(),
            received,
            first_start,
            last_start,
        }
    }

    pub(super) fn push(&mut self, head: &SpanHead<'_>, origin: u32, operation: u32) {
        grow(&mut self.rows, 1);
        grow(&mut self.raw, head.raw.len());
        self.rows.push(SpanRow {
            start: head.start,
            end: head.end,
            span_id: head.span_id,
            parent_id: head.parent_id,
            // The store refuses a trace long before its bytes pass 4 GiB.
            offset: self.raw.len() as u32,
            origin,
            operation,
            kind: head.kind,
            status: head.status,
        });
        self.raw.extend_from_slice(head.raw);
        self.first_start = self.first_start.min(head.start);
        self.last_start = self.last_start.max(head.start);
    }

    fn raw_of(&self, index: usize) -> &[u8] {
        let from = self.rows[index].offset as usize;
        let to = self
            .rows
            .get(index + 1)
            .map_or(self.raw.len(), |next| next.offset as usize);
        &self.raw[from..to]
    }

    /// Bytes of memory, buffers' slack included.
    pub(super) fn cost(&self) -> usize {
        ALLOCATION * 3
            + size_of::<Trace>()
            + 2 * size_of::<usize>()
            + self.rows.capacity() * size_of::<SpanRow>()
            + self.raw.capacity()
    }
}

/// What the allocator keeps beside each block, roughly.
pub(super) const ALLOCATION: usize = 16;

/// Below this a buffer grows by exactly what is needed: slack would count against the limit, and
/// most traces stay small. Above it copying would cost more than the slack.
const EXACT: usize = 16 * 1024;

fn grow<T>(vec: &mut Vec<T>, more: usize) {
    if vec.capacity() - vec.len() < more {
        let large = vec.capacity() * size_of::<T>() > EXACT;
        vec.reserve_exact(if large {
            more.max(vec.capacity() / 8)
        } else {
            more
        });
    }
}

/// A trace as it was when it was asked for. It shares the store's bytes: taking one copies
/// nothing, and it stays whole when the store evicts the trace.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(super) trace: Arc<Trace>,
    pub(super) origins: BTreeMap<u32, Arc<Origin>>,
    pub(super) operations: BTreeMap<u32, Arc<str>>,
}

/// One span of a [`Snapshot`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredSpan<'a> {
    pub row: &'a SpanRow,
    pub origin: &'a Origin,
    /// Equal for spans of one snapshot that share their origin.
    pub origin_key: u32,
    pub operation: &'a str,
    pub raw: &'a [u8],
}

impl Snapshot {
    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    pub(crate) fn len(&self) -> usize {
        self.trace.rows.len()
    }

    /// Spans in the order in which they came.
    pub(crate) fn spans(&self) -> impl Iterator<Item = StoredSpan<'_>> {
        (0..self.len()).filter_map(|index| self.span(index))
    }

    pub(crate) fn span(&self, index: usize) -> Option<StoredSpan<'_>> {
        let row = self.trace.rows.get(index)?;
        Some(StoredSpan {
            row,
            origin: self.origins.get(&row.origin)?,
            origin_key: row.origin,
            operation: self.operations.get(&row.operation)?,
            raw: self.trace.raw_of(index),
        })
    }
}

//! Chunks wrapped into an OTLP `ExportTraceServiceRequest`.

use super::ledger::Chunk;
use crate::span::proto;

/// What surrounds the spans of every request.
#[derive(Debug)]
pub(super) struct Envelope {
    /// Field 1 of `ResourceSpans`.
    resource: Box<[u8]>,
    /// Field 3 of `ResourceSpans`.
    schema_url: Box<[u8]>,
}

impl Envelope {
    pub(super) fn new(resource: &[u8], schema_url: &[u8]) -> Envelope {
        let mut field = Vec::new();
        if !schema_url.is_empty() {
            proto::bytes(&mut field, 0x1a, schema_url);
        }
        Envelope {
            resource: resource.into(),
            schema_url: field.into(),
        }
    }

    pub(super) fn wrap(&self, chunks: &[Chunk]) -> Vec<u8> {
        let spans_len: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        let len = self.resource.len() + spans_len + self.schema_url.len();
        let mut request = Vec::with_capacity(len + 8);
        request.push(0x0a);
        proto::varint(&mut request, len as u64);
        request.extend_from_slice(&self.resource);
        for chunk in chunks {
            request.extend_from_slice(&chunk.bytes);
        }
        request.extend_from_slice(&self.schema_url);
        request
    }
}

//! Traces written out piece by piece: an answer never lies in memory whole.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::convert::Converter;
use super::model::{Envelope, Error, Trace};
use crate::store::Snapshot;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// A piece is sent once it has grown past this.
const PIECE: usize = 64 * 1024;

/// A whole answer that is small.
pub(super) fn enveloped<T: Serialize>(data: T, total: usize) -> Response {
    json(
        StatusCode::OK,
        &Envelope {
            data,
            total,
            limit: 0,
            offset: 0,
            errors: None,
        },
    )
}

/// A refusal.
pub(super) fn failed(status: StatusCode, msg: impl Into<String>) -> Response {
    let errors = [Error {
        code: Some(status.as_u16()),
        msg: msg.into(),
        trace_id: None,
    }];
    let (data, errors) = (None::<()>, Some(&errors[..]));
    json(
        status,
        &Envelope {
            data,
            total: 0,
            limit: 0,
            offset: 0,
            errors,
        },
    )
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(CONTENT_TYPE, JSON)], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// One trace, indented for people.
pub(super) fn pretty(snapshot: &Snapshot, raw: bool) -> Response {
    let mut converter = Converter::new(snapshot.trace().id, raw);
    let spans = snapshot
        .spans()
        .filter_map(|span| converter.span(&span))
        .collect();
    let processes = converter.processes(snapshot);
    let trace_id = snapshot.trace().id.to_string();
    let data = [Trace {
        trace_id,
        spans,
        processes,
        warnings: None,
    }];
    let envelope = Envelope {
        data,
        total: 0,
        limit: 0,
        offset: 0,
        errors: None,
    };
    match serde_json::to_vec_pretty(&envelope) {
        Ok(body) => ([(CONTENT_TYPE, JSON)], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The traces, and what went wrong with some of them.
pub(super) fn traces(snapshots: Vec<Snapshot>, raw: bool, errors: Vec<Error>) -> Response {
    let pieces = Pieces {
        snapshots: snapshots.into_iter(),
        current: None,
        raw,
        errors,
        state: Progress::Start,
    };
    let pieces = futures_util::stream::iter(pieces.map(Ok::<_, Infallible>));
    ([(CONTENT_TYPE, JSON)], Body::from_stream(pieces)).into_response()
}

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Start,
    /// Traces have been written before.
    Further,
    End,
}

struct Pieces {
    snapshots: std::vec::IntoIter<Snapshot>,
    current: Option<Open>,
    raw: bool,
    errors: Vec<Error>,
    state: Progress,
}

/// A trace of which some spans are written.
struct Open {
    snapshot: Snapshot,
    converter: Converter,
    next: usize,
    written: usize,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.state == Progress::End {
            return None;
        }
        let mut out = Vec::with_capacity(PIECE + PIECE / 4);
        if self.state == Progress::Start && self.current.is_none() {
            out.extend_from_slice(b"{\"data\":[");
        }
        while out.len() < PIECE {
            if let Some(open) = &mut self.current {
                if open.write_span(&mut out) {
                    continue;
                }
                self.current = None;
            }
            let Some(snapshot) = self.snapshots.next() else {
                out.extend_from_slice(b"],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":");
                write(&mut out, &(!self.errors.is_empty()).then_some(&self.errors));
                out.push(b'}');
                self.state = Progress::End;
                break;
            };
            if self.state == Progress::Further {
                out.push(b',');
            }
            self.state = Progress::Further;
            self.current = Some(Open::begin(snapshot, self.raw, &mut out));
        }
        Some(out.into())
    }
}

impl Open {
    fn begin(snapshot: Snapshot, raw: bool, out: &mut Vec<u8>) -> Self {
        let id = snapshot.trace().id;
        out.extend_from_slice(b"{\"traceID\":");
        write(out, &id.to_string());
        out.extend_from_slice(b",\"spans\":[");
        Open {
            snapshot,
            converter: Converter::new(id, raw),
            next: 0,
            written: 0,
        }
    }

    /// `false`: the trace is complete.
    fn write_span(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(stored) = self.snapshot.span(self.next) else {
            out.extend_from_slice(b"],\"processes\":");
            write(out, &self.converter.processes(&self.snapshot));
            out.extend_from_slice(b",\"warnings\":null}");
            return false;
        };
        self.next += 1;
        if let Some(span) = self.converter.span(&stored) {
            if self.written > 0 {
                out.push(b',');
            }
            self.written += 1;
            write(out, &span);
        }
        true
    }
}

/// Writing into memory fails only for maps whose keys are not strings, which there are none of.
fn write(out: &mut Vec<u8>, value: &impl Serialize) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

//! The messages that a receiver sends: export responses and `google.rpc.Status`.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

use super::ingest::Refused;
use super::wire::{put_bytes, put_uint};

/// The gRPC status codes of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, Infallible>;

pub(crate) fn full(bytes: impl Into<Bytes>) -> AnswerBody {
    Full::new(bytes.into()).boxed_unsync()
}

/// An `ExportTraceServiceResponse`: empty when all was taken, as the specification demands.
pub(crate) fn export_response(refused: Refused) -> Vec<u8> {
    let mut response = Vec::new();
    if refused.spans() > 0 {
        let mut partial = Vec::new();
        put_uint(&mut partial, 1, refused.spans());
        put_bytes(&mut partial, 2, refused.message().as_bytes());
        put_bytes(&mut response, 1, &partial);
    }
    response
}

/// A `google.rpc.Status`, with a `google.rpc.RetryInfo` when the sender may try again.
pub(crate) fn status(code: Code, message: &str, retry_seconds: Option<u64>) -> Vec<u8> {
    let mut status = Vec::new();
    put_uint(&mut status, 1, code as u64);
    put_bytes(&mut status, 2, message.as_bytes());
    if let Some(seconds) = retry_seconds {
        let mut delay = Vec::new();
        put_uint(&mut delay, 1, seconds);
        let mut info = Vec::new();
        put_bytes(&mut info, 1, &delay);
        let mut any = Vec::new();
        put_bytes(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
        put_bytes(&mut any, 2, &info);
        put_bytes(&mut status, 3, &any);
    }
    status
}

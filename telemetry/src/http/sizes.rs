//! Sizes of bodies, for services that want them: what `Content-Length` says of a request's, else
//! what really came in; of an answer's, what went out.

use crate::metrics::BodySizes;
use crate::span::attributes::Attributes;
use crate::span::limits::Limits;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of one request's bodies.
#[derive(Debug)]
pub(super) struct Sizes {
    request: Received,
    response: Option<u64>,
}

#[derive(Debug)]
enum Received {
    Known(u64),
    Counted(Counted),
}

/// The bytes of a request's body so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted(Arc<AtomicU64>);

#[cfg(feature = "axum")]
impl Counted {
    pub(super) fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Sizes {
    pub(super) fn of(headers: &HeaderMap) -> Sizes {
        Sizes {
            request: content_length(headers)
                .map_or_else(|| Received::Counted(Counted::default()), Received::Known),
            response: None,
        }
    }

    pub(super) fn request(&mut self, bytes: u64) {
        self.request = Received::Known(bytes);
    }

    pub(super) fn response(&mut self, bytes: u64) {
        self.response = Some(bytes);
    }

    #[cfg(feature = "axum")]
    pub(super) fn counted(&self) -> Option<Counted> {
        match &self.request {
            Received::Known(_) => None,
            Received::Counted(counted) => Some(counted.clone()),
        }
    }

    pub(super) fn measured(&self) -> BodySizes {
        let request = match &self.request {
            Received::Known(bytes) => *bytes,
            Received::Counted(counted) => counted.0.load(Ordering::Relaxed),
        };
        BodySizes {
            request: Some(request),
            response: self.response,
        }
    }
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The sizes as attributes.
pub(super) fn describe(out: &mut Attributes, limits: &Limits, sizes: &BodySizes) {
    for (key, bytes) in [
        ("http.request.body.size", sizes.request),
        ("http.response.body.size", sizes.response),
    ] {
        if let Some(bytes) = bytes.and_then(|bytes| i64::try_from(bytes).ok()) {
            out.push(limits, key, bytes);
        }
    }
}

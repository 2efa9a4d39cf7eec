//! From a request's bytes to the store, and what to tell the sender.

use std::sync::Arc;

use bytes::Bytes;

use super::body::{BodyError, Inflight, Limits, Packing, Share};
use super::walk::{self, Refusal, Sink};
use super::wire::Malformed;
use crate::meters::Meters;
use crate::store::{OriginBytes, SpanHead, Store};

/// What an export request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
    Logs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Grpc,
    Http,
}

/// What became of an export request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it was taken.
    Accepted,
    /// Some spans were refused, the rest taken.
    Partial,
    /// It was taken and dropped: only traces are kept.
    Discarded,
    /// It was refused whole.
    Rejected,
}

impl Signal {
    pub(crate) const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }
}

impl Transport {
    pub(crate) const ALL: [Transport; 2] = [Transport::Grpc, Transport::Http];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Transport::Grpc => "grpc",
            Transport::Http => "http",
        }
    }
}

impl Outcome {
    pub(crate) const ALL: [Outcome; 4] = [
        Outcome::Accepted,
        Outcome::Partial,
        Outcome::Discarded,
        Outcome::Rejected,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Partial => "partial",
            Outcome::Discarded => "discarded",
            Outcome::Rejected => "rejected",
        }
    }
}

/// Why a whole request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error("the request is not a valid export message: {0}")]
    Malformed(#[from] Malformed),
    /// The work was lost inside; the sender may try again.
    #[error("the request could not be processed")]
    Internal,
}

/// Which spans of a request were refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    pub invalid: u64,
    pub too_large: u64,
}

impl Refused {
    pub(crate) fn spans(self) -> u64 {
        self.invalid + self.too_large
    }

    /// For the developer who reads the sender's log.
    pub(crate) fn message(self) -> String {
        let invalid = (self.invalid > 0).then(|| {
            let ids = "a trace, span or parent id that is missing, zero or of the wrong length";
            format!("{} spans have {ids}", self.invalid)
        });
        let too_large = (self.too_large > 0).then(|| {
            format!(
                "{} spans belong to a trace that is too large to keep",
                self.too_large
            )
        });
        [invalid, too_large]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Larger requests are processed off the threads that serve connections.
const INLINE: usize = 128 * 1024;

/// What both receivers hand requests to.
#[derive(Debug, Clone)]
pub(crate) struct Ingest {
    pub store: Arc<Store>,
    pub meters: Meters,
    pub limits: Limits,
    pub inflight: Inflight,
}

impl Ingest {
    /// Takes an `ExportTraceServiceRequest`, all of it or nothing.
    pub(crate) async fn traces(
        &self,
        request: Bytes,
        packing: Packing,
        mut share: Share,
    ) -> Result<Refused, Rejection> {
        // Unpacked, a request is some eight times as large.
        let inline = if packing == Packing::None {
            INLINE
        } else {
            INLINE / 8
        };
        if request.len() <= inline {
            return self.take(&request, packing, &mut share);
        }
        let this = self.clone();
        let work = move || this.take(&request, packing, &mut share);
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Rejection::Internal)?
    }

    fn take(
        &self,
        request: &Bytes,
        packing: Packing,
        share: &mut Share,
    ) -> Result<Refused, Rejection> {
        let request = packing.unpack(request, self.limits.message, share)?;
        walk::check(&request)?;
        let mut batches = Batches {
            ingest: self,
            origin: None,
            spans: Vec::with_capacity(BATCH),
            refused: Refused::default(),
        };
        walk::walk(&request, &mut batches)?;
        batches.flush();
        Ok(batches.refused)
    }
}

/// Spans put into the store under one hold of its lock.
const BATCH: usize = 256;

struct Batches<'a, 'i> {
    ingest: &'i Ingest,
    origin: Option<OriginBytes<'a>>,
    spans: Vec<SpanHead<'a>>,
    refused: Refused,
}

impl Batches<'_, '_> {
    fn flush(&mut self) {
        if let Some(origin) = &self.origin
            && !self.spans.is_empty()
        {
            let appended = self.ingest.store.append(origin, &self.spans);
            self.ingest.meters.accepted(appended.accepted as u64);
            self.ingest.meters.too_large(appended.refused as u64);
            self.refused.too_large += appended.refused as u64;
        }
        self.spans.clear();
    }
}

impl<'a> Sink<'a> for Batches<'a, '_> {
    fn origin(&mut self, origin: OriginBytes<'a>) {
        self.flush();
        self.origin = Some(origin);
    }

    fn span(&mut self, head: SpanHead<'a>) {
        self.spans.push(head);
        if self.spans.len() == BATCH {
            self.flush();
        }
    }

    fn refused(&mut self, refusal: Refusal) {
        self.ingest.meters.refused(refusal, 1);
        self.refused.invalid += 1;
    }
}

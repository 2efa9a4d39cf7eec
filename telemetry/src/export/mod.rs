//! From a span's end to the collector: per-thread buffers, a queue bounded by bytes, a thread that
//! sends.
//!
//! It never blocks whoever ends a span, never grows beyond its bounds, and never forgets what it
//! dropped: produced = exported + dropped + queued, at all times.
//!
//! Log records have the same way: a [`spool::Spool`] of their own with their [`signal::Signal`].

mod batch;
pub(crate) mod breaker;
mod buffers;
pub(crate) mod client;
pub(crate) mod collector;
mod connect;
mod error;
pub(crate) mod exit;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod grpc;
mod http;
pub(crate) mod journal;
pub(crate) mod json;
pub(crate) mod ledger;
mod message;
#[cfg(test)]
mod model;
pub(crate) mod report;
mod response;
mod retry;
pub(crate) mod signal;
pub(crate) mod spool;
mod status;
mod sync;
pub(crate) mod tally;
#[cfg(feature = "tls")]
mod tls;
mod worker;
mod zipkin;

use crate::settings::Otlp;
use std::sync::Arc;

pub use error::OtlpError;
pub(crate) use worker::spawn;

/// Where encoded spans go.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Exporter {
    /// To an OTLP endpoint, from a thread of its own.
    Otlp(Otlp),
    /// Into memory, for tests: see [`testing::Collector`](crate::testing::Collector).
    #[doc(hidden)]
    Collector(Arc<collector::Deliveries>),
    /// Nowhere: nothing is recorded.
    None,
}

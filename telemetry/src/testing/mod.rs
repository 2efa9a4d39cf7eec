//! Telemetry in tests: an in-memory collector, and expectations on whole traces.
//!
//! What is read here is what was sent: the collector decodes the pipeline's own OTLP bytes.

mod decode;
mod span;
mod tree;

#[cfg(any(test, fuzzing))]
pub(crate) use self::decode::request as decode;
pub use self::span::{Event, Kind, Link, Span, Status, Value};
pub use self::tree::Tree;

use crate::Exporter;
use crate::context::TraceId;
use crate::export::collector::Deliveries;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long [`Collector::wait_for`] waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Receives the spans of every `Telemetry` that was built with its [`exporter`](Self::exporter).
#[derive(Debug, Clone, Default)]
pub struct Collector {
    deliveries: Arc<Deliveries>,
}

impl Collector {
    /// An empty collector.
    #[must_use]
    pub fn new() -> Collector {
        Collector::default()
    }

    /// The exporter to give to a [`Builder`](crate::Builder).
    #[must_use]
    pub fn exporter(&self) -> Exporter {
        Exporter::Collector(Arc::clone(&self.deliveries))
    }

    /// Every span that has ended so far.
    ///
    /// # Panics
    /// If what was sent is not OTLP.
    #[must_use]
    pub async fn spans(&self) -> Vec<Span> {
        self.decode()
    }

    /// The `ExportTraceServiceRequest`s with every span that has ended so far, as they were sent.
    #[must_use]
    pub async fn requests(&self) -> Vec<Vec<u8>> {
        self.deliveries.requests()
    }

    /// Every span of one trace that has ended so far.
    ///
    /// # Panics
    /// As [`spans`](Self::spans).
    #[must_use]
    pub async fn trace(&self, id: TraceId) -> Vec<Span> {
        let mut spans = self.spans().await;
        spans.retain(|span| span.trace_id == id);
        spans
    }

    /// Every span, once `enough` is content with them: a server's span ends only after its
    /// answer's last byte is sent, which a test cannot see.
    ///
    /// # Panics
    /// As [`spans`](Self::spans), and after ten seconds.
    pub async fn wait_for(&self, enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let begun = Instant::now();
        loop {
            let spans = self.decode();
            if enough(&spans) {
                return spans;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "not the expected spans: {:#?}",
                spans
                    .iter()
                    .map(|s| format!("{} {}", s.service(), s.name))
                    .collect::<Vec<_>>()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn decode(&self) -> Vec<Span> {
        let requests = self.deliveries.requests();
        let decoded = requests.iter().flat_map(|request| {
            decode::request(request).unwrap_or_else(|malformed| panic!("{malformed}"))
        });
        decoded.collect()
    }
}

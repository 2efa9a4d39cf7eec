//! What an exporter did, for the metrics about itself. Written once a batch, read by pages.

use super::breaker::State;
use super::client::Status;
use super::report::Report;
use super::signal::Signal;
use super::tally::Tally;
use crate::settings::Protocol;
use crate::sync::lock;
use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A low-cardinality cause, as `error.type` has it.
pub(crate) type ErrorType = Cow<'static, str>;

/// Upper bounds of `otel.sdk.exporter.operation.duration`, in seconds: those of HTTP durations,
/// and some for operations that wait for their collector.
pub(crate) const BOUNDS: [f64; 16] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0, 100.0, 300.0,
];
/// A collector cannot make more series than this.
const MOST: usize = 64;

/// One exporter's account of itself.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(crate) component: &'static str,
    pub(crate) server: (String, u16),
    state: AtomicU8,
    operations: Mutex<Vec<Operations>>,
    /// Of items that have no ledger.
    tally: Mutex<Tally>,
}

/// Export operations that ended the same way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operations {
    pub(crate) status: Option<Status>,
    /// `None`: all was taken.
    pub(crate) error: Option<ErrorType>,
    /// By the bounds, the last for what is beyond.
    pub(crate) buckets: [u64; BOUNDS.len() + 1],
    /// Seconds.
    pub(crate) sum: f64,
}

impl Journal {
    pub(super) fn new(protocol: Protocol, signal: Signal, server: (String, u16)) -> Journal {
        Journal {
            component: component(protocol, signal),
            server,
            state: AtomicU8::new(State::Closed as u8),
            operations: Mutex::default(),
            tally: Mutex::default(),
        }
    }

    pub(super) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    pub(crate) fn state(&self) -> State {
        State::ALL[usize::from(self.state.load(Ordering::Relaxed)) % State::ALL.len()]
    }

    /// One export operation with all its attempts.
    pub(super) fn record(&self, took: Duration, status: Option<Status>, error: Option<ErrorType>) {
        let mut all = lock(&self.operations);
        let known = all
            .iter()
            .position(|one| one.status == status && one.error == error);
        let index = known.unwrap_or_else(|| {
            let full = all.len() >= MOST;
            let other = Operations {
                status: status.filter(|_| !full),
                error: if full { Some("_OTHER".into()) } else { error },
                buckets: [0; BOUNDS.len() + 1],
                sum: 0.0,
            };
            match all.iter().position(|one| full && one.error == other.error) {
                Some(index) => index,
                None => {
                    all.push(other);
                    all.len() - 1
                }
            }
        });
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS.partition_point(|bound| *bound < seconds);
        all[index].buckets[bucket] += 1;
        all[index].sum += seconds;
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.tally)
    }

    /// The account of an exporter whose items have no ledger.
    pub(crate) fn report(self: &Arc<Self>, signal: Signal) -> Report {
        Report {
            signal,
            queue: None,
            tally: self.tally().clone(),
            journal: Some(Arc::clone(self)),
        }
    }

    pub(crate) fn operations(&self) -> Vec<Operations> {
        lock(&self.operations).clone()
    }
}

/// The well-known values of `otel.component.type`.
fn component(protocol: Protocol, signal: Signal) -> &'static str {
    match (protocol, signal) {
        (Protocol::HttpProtobuf, Signal::Traces) => "otlp_http_span_exporter",
        (Protocol::HttpProtobuf, Signal::Metrics) => "otlp_http_metric_exporter",
        (Protocol::HttpProtobuf, Signal::Logs) => "otlp_http_log_exporter",
        (Protocol::HttpJson, Signal::Traces) => "otlp_http_json_span_exporter",
        (Protocol::HttpJson, Signal::Metrics) => "otlp_http_json_metric_exporter",
        (Protocol::HttpJson, Signal::Logs) => "otlp_http_json_log_exporter",
        (Protocol::Grpc, Signal::Traces) => "otlp_grpc_span_exporter",
        (Protocol::Grpc, Signal::Metrics) => "otlp_grpc_metric_exporter",
        (Protocol::Grpc, Signal::Logs) => "otlp_grpc_log_exporter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_kept_apart_and_their_number_is_bounded() {
        let journal = Journal::new(Protocol::Grpc, Signal::Traces, ("c".to_owned(), 4317));
        let (ok, took) = (Some(Status::Http(200)), Duration::from_millis(7));
        journal.record(took, ok, None);
        journal.record(took, ok, None);
        journal.record(took, ok, Some("rejected".into()));
        let operations = journal.operations();
        let counts: Vec<u64> = operations
            .iter()
            .map(|one| one.buckets.iter().sum())
            .collect();
        assert_eq!(counts, [2, 1]);
        assert_eq!(operations[0].buckets[1], 2);
        for code in 0..1_000 {
            let error = Some(code.to_string().into());
            journal.record(took, Some(Status::Http(code)), error);
        }
        let operations = journal.operations();
        assert_eq!(operations.len(), MOST + 1);
        let sum: u64 = operations.iter().flat_map(|one| one.buckets).sum();
        assert_eq!(sum, 1_003);
    }
}

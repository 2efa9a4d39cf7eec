//! The observatory's own numbers, on its metrics page from the start at zero.

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::otlp::{Outcome, Refusal, Signal, Transport};
use crate::store::{Stats, Store};

/// Spans refused because their trace is too large.
const TRACE_TOO_LARGE: &str = "trace_too_large";

#[derive(Debug, Clone)]
pub(crate) struct Meters {
    received: IntCounter,
    accepted: IntCounter,
    rejected: IntCounterVec,
    evicted_spans: IntCounter,
    evicted_traces: IntCounter,
    requests: IntCounterVec,
    bytes: IntGauge,
    limit: IntGauge,
    traces: IntGauge,
    spans: IntGauge,
}

impl Meters {
    /// Registers every series, so that each exists before the first event.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let meters = Meters {
            received: counter("spans_received_total", "Spans read from OTLP requests.")?,
            accepted: counter("spans_accepted_total", "Spans put into the store.")?,
            rejected: IntCounterVec::new(
                options("spans_rejected_total", "Spans refused, by reason."),
                &["reason"],
            )?,
            evicted_spans: counter("spans_evicted_total", "Spans evicted to make room.")?,
            evicted_traces: counter("traces_evicted_total", "Traces evicted to make room.")?,
            requests: IntCounterVec::new(
                options(
                    "otlp_requests_total",
                    "OTLP export requests, by what became of them.",
                ),
                &["signal", "transport", "outcome"],
            )?,
            bytes: gauge("store_bytes", "Bytes held by the store, indexes included.")?,
            limit: gauge("store_limit_bytes", "Bytes that the store may hold.")?,
            traces: gauge("traces", "Traces kept.")?,
            spans: gauge("spans", "Spans kept.")?,
        };
        for reason in Refusal::ALL
            .map(Refusal::reason)
            .into_iter()
            .chain([TRACE_TOO_LARGE])
        {
            meters.rejected.with_label_values(&[reason]);
        }
        for signal in Signal::ALL {
            for transport in Transport::ALL {
                for outcome in Outcome::ALL {
                    meters.request(signal, transport, outcome, 0);
                }
            }
        }
        let collectors: [Box<dyn Collector>; 10] = [
            Box::new(meters.received.clone()),
            Box::new(meters.accepted.clone()),
            Box::new(meters.rejected.clone()),
            Box::new(meters.evicted_spans.clone()),
            Box::new(meters.evicted_traces.clone()),
            Box::new(meters.requests.clone()),
            Box::new(meters.bytes.clone()),
            Box::new(meters.limit.clone()),
            Box::new(meters.traces.clone()),
            Box::new(meters.spans.clone()),
        ];
        for collector in collectors {
            registry.register(collector)?;
        }
        Ok(meters)
    }

    pub(crate) fn accepted(&self, spans: u64) {
        self.received.inc_by(spans);
        self.accepted.inc_by(spans);
    }

    pub(crate) fn refused(&self, refusal: Refusal, spans: u64) {
        self.received.inc_by(spans);
        self.rejected
            .with_label_values(&[refusal.reason()])
            .inc_by(spans);
    }

    pub(crate) fn too_large(&self, spans: u64) {
        self.received.inc_by(spans);
        self.rejected
            .with_label_values(&[TRACE_TOO_LARGE])
            .inc_by(spans);
    }

    pub(crate) fn request(
        &self,
        signal: Signal,
        transport: Transport,
        outcome: Outcome,
        count: u64,
    ) {
        let labels = [signal.label(), transport.label(), outcome.label()];
        self.requests.with_label_values(&labels).inc_by(count);
    }

    /// Brings gauges and eviction counters up to the store's state.
    pub(crate) fn observe(&self, store: &Store) {
        let Stats {
            bytes,
            limit,
            traces,
            spans,
            evicted_traces,
            evicted_spans,
            ..
        } = store.stats();
        self.bytes.set(bytes.try_into().unwrap_or(i64::MAX));
        self.limit.set(limit.try_into().unwrap_or(i64::MAX));
        self.traces.set(traces.try_into().unwrap_or(i64::MAX));
        self.spans.set(spans.try_into().unwrap_or(i64::MAX));
        raise(&self.evicted_traces, evicted_traces);
        raise(&self.evicted_spans, evicted_spans);
    }
}

/// The store counts what it evicts; two receivers may report at once, so a lower count is late.
fn raise(counter: &IntCounter, to: u64) {
    counter.inc_by(to.saturating_sub(counter.get()));
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(format!("citywatch_observatory_{name}"), help)
}

fn counter(name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    IntCounter::with_opts(options(name, help))
}

fn gauge(name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    IntGauge::with_opts(options(name, help))
}

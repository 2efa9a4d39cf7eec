//! The observatory's own numbers, on its metrics page from the start at zero.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::otlp::{Outcome, Refusal, Signal, Transport};
use crate::store::Store;

/// Spans refused because their trace is too large.
const TRACE_TOO_LARGE: &str = "trace_too_large";

#[derive(Debug, Clone)]
pub(crate) struct Meters {
    received: IntCounter,
    accepted: IntCounter,
    rejected: IntCounterVec,
    requests: IntCounterVec,
}

impl Meters {
    /// Registers every series, so that each exists before the first event; those of the store
    /// are read from it when the page is asked for.
    pub(crate) fn register(
        registry: &Registry,
        store: &Arc<Store>,
    ) -> Result<Self, prometheus::Error> {
        let meters = Meters {
            received: counter("spans_received_total", "Spans read from OTLP requests.")?,
            accepted: counter("spans_accepted_total", "Spans put into the store.")?,
            rejected: IntCounterVec::new(
                options("spans_rejected_total", "Spans refused, by reason."),
                &["reason"],
            )?,
            requests: IntCounterVec::new(
                options(
                    "otlp_requests_total",
                    "OTLP export requests, by what became of them.",
                ),
                &["signal", "transport", "outcome"],
            )?,
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
        let collectors: [Box<dyn Collector>; 5] = [
            Box::new(meters.received.clone()),
            Box::new(meters.accepted.clone()),
            Box::new(meters.rejected.clone()),
            Box::new(meters.requests.clone()),
            Box::new(StoreMeters::of(Arc::clone(store))?),
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
}

/// The store's own numbers.
struct StoreMeters {
    store: Arc<Store>,
    evicted_spans: IntCounter,
    evicted_traces: IntCounter,
    bytes: IntGauge,
    limit: IntGauge,
    traces: IntGauge,
    spans: IntGauge,
    /// Two pages at once must not both raise a counter by the same evictions.
    reading: Mutex<()>,
}

impl StoreMeters {
    fn of(store: Arc<Store>) -> Result<Self, prometheus::Error> {
        Ok(StoreMeters {
            store,
            evicted_spans: counter("spans_evicted_total", "Spans evicted to make room.")?,
            evicted_traces: counter("traces_evicted_total", "Traces evicted to make room.")?,
            bytes: gauge("store_bytes", "Bytes held by the store, indexes included.")?,
            limit: gauge("store_limit_bytes", "Bytes that the store may hold.")?,
            traces: gauge("traces", "Traces kept.")?,
            spans: gauge("spans", "Spans kept.")?,
            reading: Mutex::new(()),
        })
    }

    fn each(&self) -> [&dyn Collector; 6] {
        let (spans, traces) = (&self.evicted_spans, &self.evicted_traces);
        [
            spans,
            traces,
            &self.bytes,
            &self.limit,
            &self.traces,
            &self.spans,
        ]
    }
}

impl Collector for StoreMeters {
    fn desc(&self) -> Vec<&Desc> {
        self.each().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let stats = self.store.stats();
        self.bytes.set(stats.bytes as i64);
        self.limit.set(stats.limit as i64);
        self.traces.set(stats.traces as i64);
        self.spans.set(stats.spans as i64);
        for (counter, to) in [
            (&self.evicted_spans, stats.evicted_spans),
            (&self.evicted_traces, stats.evicted_traces),
        ] {
            counter.inc_by(to.saturating_sub(counter.get()));
        }
        self.each()
            .into_iter()
            .flat_map(Collector::collect)
            .collect()
    }
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

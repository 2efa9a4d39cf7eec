use std::sync::{Arc, Weak};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::breaker::{BreakerState, Trip};
use crate::calls::Inner;
use crate::error::CallErrorKind;

/// What is counted of calls. Every label is from a closed set: callees stand in the table of edges.
#[derive(Clone)]
pub(crate) struct Metrics {
    calls: IntCounterVec,
    attempts: IntCounterVec,
    retries: IntCounterVec,
    refused: IntCounterVec,
    trips: IntCounterVec,
}

/// Reasons for which a call, or its next attempt, is not sent.
const REFUSALS: [CallErrorKind; 4] = [
    CallErrorKind::CircuitOpen,
    CallErrorKind::RetryBudget,
    CallErrorKind::NoInstance,
    CallErrorKind::Deadline,
];
const TRIPS: [Trip; 3] = [
    Trip::FailureRatio,
    Trip::ConsecutiveFailures,
    Trip::ProbeFailed,
];

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let counter = |name, help, labels: &[&str]| {
            let counter = constant(IntCounterVec::new(Opts::new(name, help), labels));
            register(registry, counter.clone());
            counter
        };
        Self {
            calls: counter(
                "citywatch_calls_total",
                "Calls to other services, each with all of its attempts.",
                &["callee"],
            ),
            attempts: counter(
                "citywatch_calls_attempts_total",
                "Attempts that were sent; those of a call after its first are retries.",
                &["callee"],
            ),
            retries: counter(
                "citywatch_calls_retries_total",
                "Retries by what came of them.",
                &["callee", "outcome"],
            ),
            refused: counter(
                "citywatch_calls_refused_total",
                "Calls, or their next attempts, that were not sent.",
                &["callee", "reason"],
            ),
            trips: counter(
                "citywatch_calls_breaker_trips_total",
                "Times that an endpoint's circuit breaker opened.",
                &["callee", "reason"],
            ),
        }
    }

    /// Every series of a callee is there from its first day, at zero.
    pub(crate) fn born(&self, callee: &str) {
        self.calls.with_label_values(&[callee]);
        self.attempts.with_label_values(&[callee]);
        for outcome in ["success", "failure"] {
            self.retries.with_label_values(&[callee, outcome]);
        }
        for reason in REFUSALS {
            let reason = reason.error_type();
            self.refused.with_label_values(&[callee, reason]);
        }
        for trip in TRIPS {
            self.trips.with_label_values(&[callee, trip.reason()]);
        }
    }

    pub(crate) fn called(&self, callee: &str) {
        self.calls.with_label_values(&[callee]).inc();
    }

    pub(crate) fn sent(&self, callee: &str) {
        self.attempts.with_label_values(&[callee]).inc();
    }

    pub(crate) fn retried(&self, callee: &str, success: bool) {
        let outcome = if success { "success" } else { "failure" };
        self.retries.with_label_values(&[callee, outcome]).inc();
    }

    pub(crate) fn refused(&self, callee: &str, why: CallErrorKind) {
        let reason = why.error_type();
        self.refused.with_label_values(&[callee, reason]).inc();
    }

    pub(crate) fn tripped(&self, callee: &str, trip: Trip) {
        let labels = [callee, trip.reason()];
        self.trips.with_label_values(&labels).inc();
    }
}

impl Trip {
    /// In a word, for metrics and logs.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::FailureRatio => "failure_ratio",
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::ProbeFailed => "probe_failed",
        }
    }
}

/// The gauges: read off the callees when the page is asked for.
pub(crate) struct Gauges {
    calls: Weak<Inner>,
    states: IntGaugeVec,
    tokens: GaugeVec,
}

impl Gauges {
    pub(crate) fn register(registry: &Registry, calls: &Arc<Inner>) {
        let states = Opts::new(
            "citywatch_calls_breaker_state",
            "Endpoints that are called, by the state of their circuit breaker.",
        );
        let tokens = Opts::new(
            "citywatch_calls_retry_budget_tokens",
            "Retries that the budget has left.",
        );
        let gauges = Self {
            calls: Arc::downgrade(calls),
            states: constant(IntGaugeVec::new(states, &["callee", "state"])),
            tokens: constant(GaugeVec::new(tokens, &["callee"])),
        };
        register(registry, gauges);
    }
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        [self.states.desc(), self.tokens.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for callee in self
            .calls
            .upgrade()
            .iter()
            .flat_map(|calls| calls.callees())
        {
            let (states, tokens) = callee.gauges();
            for (state, count) in states {
                let state = match state {
                    BreakerState::Closed => "closed",
                    BreakerState::Open => "open",
                    BreakerState::HalfOpen => "half_open",
                };
                let labels = [callee.name, state];
                self.states.with_label_values(&labels).set(count);
            }
            self.tokens.with_label_values(&[callee.name]).set(tokens);
        }
        [self.states.collect(), self.tokens.collect()].concat()
    }
}

fn constant<M>(metric: prometheus::Result<M>) -> M {
    metric.unwrap_or_else(|error| unreachable!("names and labels are constants: {error}"))
}

fn register(registry: &Registry, collector: impl Collector + 'static) {
    if let Err(error) = registry.register(Box::new(collector)) {
        tracing::debug!(%error, "metric is registered already");
    }
}

//! What is counted of the reader's half.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use super::status::Status;

/// How an attempt at an event ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// It had its effect.
    Handled,
    /// The event failed.
    Failed,
    /// It has to wait for something else.
    Later,
    /// It was put behind an event of its subject that failed.
    Waiting,
    /// It failed for the last time.
    Dead,
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Handled,
        Self::Failed,
        Self::Later,
        Self::Waiting,
        Self::Dead,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Failed => "failed",
            Self::Later => "later",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
        }
    }
}

#[derive(Clone)]
pub(super) struct Metrics {
    handled: IntCounterVec,
    queue: HistogramVec,
    statuses: Arc<Mutex<Vec<Arc<Status>>>>,
}

impl Metrics {
    /// # Errors
    /// One of the names is taken.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let handled = IntCounterVec::new(
            Opts::new(
                "citywatch_events_handled_total",
                "Attempts at events by how they ended, and events that wait behind a failed one.",
            ),
            &["feed", "type", "outcome"],
        )?;
        let queue = HistogramVec::new(
            HistogramOpts::new(
                "citywatch_events_queue_seconds",
                "Time from an event's publication to its effect.",
            )
            .buckets(vec![
                0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
                60.0, 300.0,
            ]),
            &["feed"],
        )?;
        registry.register(Box::new(handled.clone()))?;
        registry.register(Box::new(queue.clone()))?;
        let statuses = Arc::default();
        registry.register(Box::new(Gauges::new(Arc::clone(&statuses))?))?;
        Ok(Self {
            handled,
            queue,
            statuses,
        })
    }

    /// Every series of a feed is there from now on.
    pub(super) fn born(&self, status: &Arc<Status>, types: &[&str]) {
        self.queue.with_label_values(&[status.feed]);
        for kind in types {
            for outcome in Outcome::ALL {
                self.handled
                    .with_label_values(&[status.feed, *kind, outcome.label()]);
            }
        }
        let mut statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        statuses.push(Arc::clone(status));
    }

    pub(super) fn ended(&self, feed: &str, kind: &str, outcome: Outcome) {
        let labels = [feed, kind, outcome.label()];
        self.handled.with_label_values(&labels).inc();
    }

    pub(super) fn queued(&self, feed: &str, seconds: f64) {
        self.queue.with_label_values(&[feed]).observe(seconds);
    }
}

/// The gauges: read off the statuses when the page is asked for.
struct Gauges {
    statuses: Arc<Mutex<Vec<Arc<Status>>>>,
    lag_events: IntGaugeVec,
    lag_seconds: GaugeVec,
    dead: IntGaugeVec,
    waiting: IntGaugeVec,
    stalled: IntGaugeVec,
}

impl Gauges {
    fn new(statuses: Arc<Mutex<Vec<Arc<Status>>>>) -> prometheus::Result<Self> {
        let gauge = |name, help| IntGaugeVec::new(Opts::new(name, help), &["feed"]);
        Ok(Self {
            statuses,
            lag_events: gauge(
                "citywatch_events_lag_events",
                "Events of the feed that the service has not come to.",
            )?,
            lag_seconds: GaugeVec::new(
                Opts::new(
                    "citywatch_events_lag_seconds",
                    "Age of the oldest event of the feed that the service has not come to.",
                ),
                &["feed"],
            )?,
            dead: gauge(
                "citywatch_events_dead_letters",
                "Events that failed for the last time, and that an operator has to look at.",
            )?,
            waiting: gauge(
                "citywatch_events_waiting",
                "Events that wait behind one of their subject that failed.",
            )?,
            stalled: gauge(
                "citywatch_events_stalled",
                "1 where events were missed for good and the feed waits for its rebuild.",
            )?,
        })
    }
}

impl Collector for Gauges {
    fn desc(&self) -> Vec<&Desc> {
        [
            self.lag_events.desc(),
            self.lag_seconds.desc(),
            self.dead.desc(),
            self.waiting.desc(),
            self.stalled.desc(),
        ]
        .concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner);
        for status in statuses.iter() {
            let (feed, known) = ([status.feed], status.known());
            let set = |gauge: &IntGaugeVec, value| gauge.with_label_values(&feed).set(value);
            set(&self.lag_events, known.lag_events());
            set(&self.dead, known.parked.dead);
            set(&self.waiting, known.parked.waiting);
            set(&self.stalled, i64::from(known.stalled.is_some()));
            let lag = self.lag_seconds.with_label_values(&feed);
            lag.set(known.lag_seconds());
        }
        [
            self.lag_events.collect(),
            self.lag_seconds.collect(),
            self.dead.collect(),
            self.waiting.collect(),
            self.stalled.collect(),
        ]
        .concat()
    }
}

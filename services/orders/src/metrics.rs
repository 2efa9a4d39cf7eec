//! What this service counts of its own; HTTP metrics come with telemetry.

use app::{OldestAge, Timestamp};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::domain::{Action, Event, Reason};

/// How a try of a step ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tried {
    /// It did what it is for.
    Done,
    /// The peer refused for good.
    Refused,
    /// What became of it is not known: it is tried again.
    Unsettled,
}

impl Tried {
    const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Unsettled];

    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unsettled => "unsettled",
        }
    }
}

const CONFIRMED: &str = "confirmed";

/// The metrics, registered.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    placed: IntCounter,
    ended: IntCounterVec,
    took: Histogram,
    steps: IntCounterVec,
    pub(crate) driven: IntGauge,
    unfinished: IntGauge,
    oldest: OldestAge,
    pub(crate) adopted: IntCounter,
    pub(crate) leases_lost: IntCounter,
}

impl Metrics {
    /// Registers them, each series at zero.
    ///
    /// # Errors
    /// One of the names is taken.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            placed: IntCounter::new("citywatch_orders_placed_total", "Orders placed.")?,
            ended: IntCounterVec::new(
                Opts::new(
                    "citywatch_orders_ended_total",
                    "Orders that came to their end, by how.",
                ),
                &["outcome"],
            )?,
            took: Histogram::with_opts(
                HistogramOpts::new(
                    "citywatch_orders_saga_seconds",
                    "Time from an order's placing to its end.",
                )
                .buckets(vec![
                    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
                ]),
            )?,
            steps: IntCounterVec::new(
                Opts::new(
                    "citywatch_orders_saga_steps_total",
                    "Tries of a saga's steps, by how they ended.",
                ),
                &["step", "outcome"],
            )?,
            driven: IntGauge::new(
                "citywatch_orders_sagas_driven",
                "Sagas that this instance drives just now.",
            )?,
            unfinished: IntGauge::new(
                "citywatch_orders_sagas_unfinished",
                "Sagas in the store that had not ended when this instance last looked.",
            )?,
            oldest: OldestAge::register(
                registry,
                "citywatch_orders_oldest_unfinished_seconds",
                "Age of the oldest order that had not ended when this instance last looked; 0 if \
                 there was none.",
            )?,
            adopted: IntCounter::new(
                "citywatch_orders_sagas_adopted_total",
                "Sagas taken over because their owner's lease had lapsed.",
            )?,
            leases_lost: IntCounter::new(
                "citywatch_orders_leases_lost_total",
                "Sagas that this instance stopped driving because another had taken them.",
            )?,
        };
        registry.register(Box::new(metrics.placed.clone()))?;
        registry.register(Box::new(metrics.ended.clone()))?;
        registry.register(Box::new(metrics.took.clone()))?;
        registry.register(Box::new(metrics.steps.clone()))?;
        registry.register(Box::new(metrics.driven.clone()))?;
        registry.register(Box::new(metrics.unfinished.clone()))?;
        registry.register(Box::new(metrics.adopted.clone()))?;
        registry.register(Box::new(metrics.leases_lost.clone()))?;
        for outcome in Reason::ALL
            .map(Reason::label)
            .into_iter()
            .chain([CONFIRMED])
        {
            metrics.ended.with_label_values(&[outcome]);
        }
        for step in Action::ALL {
            for tried in Tried::ALL {
                metrics
                    .steps
                    .with_label_values(&[step.label(), tried.label()]);
            }
        }
        Ok(metrics)
    }

    pub(crate) fn placed(&self) {
        self.placed.inc();
    }

    /// An order that was placed at `placed` ended just now with `last`.
    pub(crate) fn ended(&self, last: &Event, placed: Timestamp) {
        let outcome = match last {
            Event::Cancelled { reason } => reason.label(),
            _ => CONFIRMED,
        };
        self.ended.with_label_values(&[outcome]).inc();
        self.took.observe(placed.elapsed().as_secs_f64());
    }

    pub(crate) fn tried(&self, action: Action, tried: Tried) {
        let labels = [action.label(), tried.label()];
        self.steps.with_label_values(&labels).inc();
    }

    /// So many sagas have not ended; the oldest began then.
    pub(crate) fn looked(&self, unfinished: i64, oldest: Option<Timestamp>) {
        self.unfinished.set(unfinished);
        self.oldest.set(oldest);
    }
}

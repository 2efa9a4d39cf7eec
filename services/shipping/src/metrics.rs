//! What this service counts of its own; HTTP and event metrics come with the chassis.

use std::time::Duration;

use app::{OldestAge, Timestamp};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::domain::Move;

/// The metrics, registered.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) prepared: IntCounter,
    moves: IntCounterVec,
    delay: Histogram,
    under_way: IntGauge,
    oldest: OldestAge,
    pub(crate) adopted: IntCounter,
    pub(crate) lost: IntCounter,
}

impl Metrics {
    /// Registers them, each series at zero.
    ///
    /// # Errors
    /// One of the names is taken.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            prepared: IntCounter::new(
                "citywatch_shipping_prepared_total",
                "Shipments made for confirmed orders.",
            )?,
            moves: IntCounterVec::new(
                Opts::new("citywatch_shipping_moves_total", "Moves of shipments."),
                &["move"],
            )?,
            delay: Histogram::with_opts(
                HistogramOpts::new(
                    "citywatch_shipping_move_delay_seconds",
                    "Time from when a move was to be made to when it was made.",
                )
                .buckets(vec![
                    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
                ]),
            )?,
            under_way: IntGauge::new(
                "citywatch_shipping_under_way",
                "Shipments in the store that had not arrived when this instance last looked.",
            )?,
            oldest: OldestAge::register(
                registry,
                "citywatch_shipping_oldest_under_way_seconds",
                "Age of the oldest shipment that had not arrived when this instance last looked; \
                 0 if there was none.",
            )?,
            adopted: IntCounter::new(
                "citywatch_shipping_moves_adopted_total",
                "Moves taken over because their owner's lease had lapsed.",
            )?,
            lost: IntCounter::new(
                "citywatch_shipping_moves_lost_total",
                "Moves that this instance was about to make when another had made them.",
            )?,
        };
        registry.register(Box::new(metrics.prepared.clone()))?;
        registry.register(Box::new(metrics.moves.clone()))?;
        registry.register(Box::new(metrics.delay.clone()))?;
        registry.register(Box::new(metrics.under_way.clone()))?;
        registry.register(Box::new(metrics.adopted.clone()))?;
        registry.register(Box::new(metrics.lost.clone()))?;
        for step in Move::ALL {
            metrics.moves.with_label_values(&[step.label()]);
        }
        Ok(metrics)
    }

    /// So many shipments have not arrived; the oldest was made then.
    pub(crate) fn looked(&self, under_way: i64, oldest: Option<Timestamp>) {
        self.under_way.set(under_way);
        self.oldest.set(oldest);
    }

    /// A move was made so long after its time.
    pub(crate) fn made(&self, step: Move, late: Duration) {
        self.moves.with_label_values(&[step.label()]).inc();
        self.delay.observe(late.as_secs_f64());
    }
}

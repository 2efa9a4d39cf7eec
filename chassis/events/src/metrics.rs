//! What is counted of the publisher's half.

use app::OldestAge;
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use crate::store::Waiting;

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    published: IntCounterVec,
    unpublished: IntGauge,
    oldest_unpublished: OldestAge,
}

impl Metrics {
    /// # Errors
    /// One of the names is taken.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            published: IntCounterVec::new(
                Opts::new(
                    "citywatch_events_published_total",
                    "Events that this instance has committed.",
                ),
                &["type"],
            )?,
            unpublished: IntGauge::new(
                "citywatch_events_unpublished",
                "Events in the outbox that have no position yet: nobody can read them.",
            )?,
            oldest_unpublished: OldestAge::register(
                registry,
                "citywatch_events_oldest_unpublished_seconds",
                "How long the oldest event without a position has waited for one.",
            )?,
        };
        registry.register(Box::new(metrics.published.clone()))?;
        registry.register(Box::new(metrics.unpublished.clone()))?;
        Ok(metrics)
    }

    /// The series of a type is there, at zero until something was published.
    pub(crate) fn born(&self, kind: &'static str) {
        self.published.with_label_values(&[kind]);
    }

    pub(crate) fn published(&self, kind: &'static str) {
        self.published.with_label_values(&[kind]).inc();
    }

    pub(crate) fn waiting(&self, waiting: Waiting) {
        self.unpublished.set(waiting.events);
        self.oldest_unpublished.set(waiting.oldest);
    }
}

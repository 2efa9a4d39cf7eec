//! What this service counts of its own; HTTP metrics come with telemetry, those of events with the
//! chassis.

use prometheus::{IntCounterVec, Opts, Registry};

use crate::domain::Tie;

/// The metrics, registered.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    answers: IntCounterVec,
    forgotten: IntCounterVec,
}

const FOUND: &str = "found";
const EMPTY: &str = "empty";

impl Metrics {
    /// Registers them, each series at zero.
    ///
    /// # Errors
    /// One of the names is taken.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            answers: IntCounterVec::new(
                Opts::new(
                    "citywatch_recommendations_answers_total",
                    "Questions for a product's recommendations, by whether there were any.",
                ),
                &["tie", "outcome"],
            )?,
            forgotten: IntCounterVec::new(
                Opts::new(
                    "citywatch_recommendations_pairs_forgotten_total",
                    "Pairs that went because a product had too many stronger ones.",
                ),
                &["tie"],
            )?,
        };
        registry.register(Box::new(metrics.answers.clone()))?;
        registry.register(Box::new(metrics.forgotten.clone()))?;
        for tie in Tie::ALL {
            for outcome in [FOUND, EMPTY] {
                metrics.answers.with_label_values(&[tie.name(), outcome]);
            }
            metrics.forgotten.with_label_values(&[tie.name()]);
        }
        Ok(metrics)
    }

    pub(crate) fn answered(&self, tie: Tie, recommended: usize) {
        let outcome = if recommended > 0 { FOUND } else { EMPTY };
        self.answers.with_label_values(&[tie.name(), outcome]).inc();
    }

    pub(crate) fn forgotten(&self, tie: Tie, pairs: u64) {
        self.forgotten
            .with_label_values(&[tie.name()])
            .inc_by(pairs);
    }
}

//! What this service counts of its own; HTTP metrics come with telemetry.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::charge::State;

/// How often a charge can end.
const CHARGES: [State; 2] = [State::Captured, State::Declined];
const REFUNDS: [State; 2] = [State::Refunded, State::Voided];

/// The metrics, registered.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    charges: IntCounterVec,
    refunds: IntCounterVec,
    /// A charge that the bank made beside the one that counts, given back.
    pub(crate) duplicates_refunded: IntCounter,
    /// A claim made after another instance's claim was over.
    pub(crate) taken_over: IntCounter,
    /// The bank does not have what it said it had charged.
    pub(crate) missing: IntCounter,
    /// Rows without an end.
    pub(crate) unsettled: IntGauge,
}

impl Metrics {
    /// Registers them, each series at zero.
    ///
    /// # Errors
    /// One of the names is taken.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            charges: IntCounterVec::new(
                Opts::new(
                    "citywatch_payments_charges_total",
                    "Charges that came to an end.",
                ),
                &["outcome"],
            )?,
            refunds: IntCounterVec::new(
                Opts::new(
                    "citywatch_payments_refunds_total",
                    "Refunds that came to an end.",
                ),
                &["outcome"],
            )?,
            duplicates_refunded: IntCounter::new(
                "citywatch_payments_duplicates_refunded_total",
                "Charges beside the one that counts, found at the bank and refunded.",
            )?,
            taken_over: IntCounter::new(
                "citywatch_payments_taken_over_total",
                "Charges and refunds that another instance had begun.",
            )?,
            missing: IntCounter::new(
                "citywatch_payments_missing_total",
                "Checks in which the bank did not have a charge that it had confirmed.",
            )?,
            unsettled: IntGauge::new(
                "citywatch_payments_unsettled",
                "Charges and refunds in the store without an end.",
            )?,
        };
        registry.register(Box::new(metrics.charges.clone()))?;
        registry.register(Box::new(metrics.refunds.clone()))?;
        registry.register(Box::new(metrics.duplicates_refunded.clone()))?;
        registry.register(Box::new(metrics.taken_over.clone()))?;
        registry.register(Box::new(metrics.missing.clone()))?;
        registry.register(Box::new(metrics.unsettled.clone()))?;
        for state in CHARGES {
            metrics.charges.with_label_values(&[state.name()]);
        }
        for state in REFUNDS {
            metrics.refunds.with_label_values(&[state.name()]);
        }
        Ok(metrics)
    }

    /// A row came to this end.
    pub(crate) fn ended(&self, state: State) {
        if CHARGES.contains(&state) {
            self.charges.with_label_values(&[state.name()]).inc();
        }
        if REFUNDS.contains(&state) {
            self.refunds.with_label_values(&[state.name()]).inc();
        }
    }
}

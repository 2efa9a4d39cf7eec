//! What is counted of faults, from the start and at zero.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::fault::Action;

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) active: IntGauge,
    pub(crate) points: IntGauge,
    injected: IntCounterVec,
    by_action: [IntCounter; Action::NAMES.len()],
}

impl Metrics {
    pub(crate) fn new() -> prometheus::Result<Self> {
        let injected = IntCounterVec::new(
            Opts::new(
                "citywatch_faults_injected_total",
                "Passes of a fault point that a fault has struck.",
            ),
            &["action"],
        )?;
        Ok(Self {
            active: IntGauge::new("citywatch_faults_active", "Faults that are armed.")?,
            points: IntGauge::new("citywatch_faults_points", "Points where faults may strike.")?,
            by_action: Action::NAMES.map(|name| injected.with_label_values(&[name])),
            injected,
        })
    }

    pub(crate) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.active.clone()))?;
        registry.register(Box::new(self.points.clone()))?;
        registry.register(Box::new(self.injected.clone()))
    }

    pub(crate) fn struck(&self, action: Action) {
        self.by_action[action.index()].inc();
    }
}

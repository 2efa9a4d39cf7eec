//! What this service counts of its own; HTTP metrics come with telemetry.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::domain::State;
use crate::store::{Failure, Holds, Reserved};

const RESERVE_OUTCOMES: [&str; 7] = [
    "held",
    "repeated",
    "out_of_stock",
    "differs",
    "released",
    "busy",
    "error",
];

/// The metrics, registered. Every series is born at zero, so that a rate sees the first event.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    reserve_requests: IntCounterVec,
    reservations: IntCounterVec,
    held_reservations: IntGauge,
    held_units: IntGauge,
    sweeps: IntCounter,
    failed_sweeps: IntCounter,
}

impl Metrics {
    /// # Errors
    /// One of the names is taken.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            reserve_requests: IntCounterVec::new(
                Opts::new(
                    "citywatch_inventory_reserve_requests_total",
                    "Requests to reserve, by how they ended.",
                ),
                &["outcome"],
            )?,
            reservations: IntCounterVec::new(
                Opts::new(
                    "citywatch_inventory_reservations_total",
                    "Reservations that this instance brought into the state.",
                ),
                &["state"],
            )?,
            held_reservations: IntGauge::new(
                "citywatch_inventory_held_reservations",
                "Reservations in the store that are neither confirmed nor given back.",
            )?,
            held_units: IntGauge::new(
                "citywatch_inventory_held_units",
                "Units in the store that are held for orders.",
            )?,
            sweeps: IntCounter::new(
                "citywatch_inventory_sweeps_total",
                "Looks for reservations that have expired.",
            )?,
            failed_sweeps: IntCounter::new(
                "citywatch_inventory_failed_sweeps_total",
                "Looks for reservations that have expired, which failed and are made again.",
            )?,
        };
        registry.register(Box::new(metrics.reserve_requests.clone()))?;
        registry.register(Box::new(metrics.reservations.clone()))?;
        registry.register(Box::new(metrics.held_reservations.clone()))?;
        registry.register(Box::new(metrics.held_units.clone()))?;
        registry.register(Box::new(metrics.sweeps.clone()))?;
        registry.register(Box::new(metrics.failed_sweeps.clone()))?;
        for outcome in RESERVE_OUTCOMES {
            metrics.reserve_requests.with_label_values(&[outcome]);
        }
        for state in State::ALL {
            metrics.reservations.with_label_values(&[state.name()]);
        }
        Ok(metrics)
    }

    pub(crate) fn reserve_ended(&self, outcome: &Result<Reserved, Failure>) {
        let outcome = match outcome {
            Ok(Reserved::New(_)) => "held",
            Ok(Reserved::Again(_)) => "repeated",
            Err(Failure::OutOfStock(_)) => "out_of_stock",
            Err(Failure::Differs) => "differs",
            Err(Failure::Released) => "released",
            Err(Failure::Store(error)) if error.is_busy() => "busy",
            Err(_) => "error",
        };
        self.reserve_requests.with_label_values(&[outcome]).inc();
    }

    /// This many reservations came into the state, durably.
    pub(crate) fn entered(&self, state: State, reservations: usize) {
        let entered = self.reservations.with_label_values(&[state.name()]);
        entered.inc_by(reservations as u64);
    }

    pub(crate) fn holds(&self, holds: Holds) {
        self.held_reservations.set(holds.reservations);
        self.held_units.set(holds.units);
    }

    pub(crate) fn swept<T, E>(&self, outcome: &Result<T, E>) {
        self.sweeps.inc();
        if outcome.is_err() {
            self.failed_sweeps.inc();
        }
    }
}

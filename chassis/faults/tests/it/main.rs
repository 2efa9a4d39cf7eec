//! Faults as services and operators use them. What ends or stops a process is tested on a real one:
//! `services/catalog/tests/it/faults.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod actions;
mod arming;
mod leases;
mod points;

use std::time::Duration;

use faults::{Faults, Point};
use prometheus::{Registry, TextEncoder};

/// Faults that can be armed, and a page of their metrics.
pub(crate) struct Bench {
    pub(crate) faults: Faults,
    registry: Registry,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let faults = Faults::new(true, &registry).unwrap();
        Self { faults, registry }
    }

    pub(crate) fn point(&self) -> Point {
        self.faults.point("step", "between two things")
    }

    pub(crate) fn hits(&self, point: &str) -> u64 {
        let points = self.faults.points();
        points
            .iter()
            .find(|state| state.name == point)
            .unwrap()
            .hits
    }

    #[track_caller]
    pub(crate) fn assert_metric(&self, line: &str) {
        let page = TextEncoder::new().encode_to_string(&self.registry.gather());
        let page = page.unwrap();
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

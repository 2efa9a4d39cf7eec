//! The time index: earliest and latest span start of each run of neighbouring traces.
//!
//! Traces are kept in the order in which they came, which is nearly the order of time. A search
//! for an hour long ago skips whole runs by these bounds.

use std::collections::VecDeque;

/// Traces a run.
const RUN: u64 = 256;

#[derive(Debug, Default)]
pub(super) struct Zones {
    /// Number of the first run kept.
    first: u64,
    bounds: VecDeque<(u64, u64)>,
}

impl Zones {
    /// A span of trace `sequence` starts at `start`. Sequences come in any order, but none is
    /// below the oldest trace kept.
    pub(super) fn widen(&mut self, sequence: u64, start: u64) {
        let run = sequence / RUN;
        if self.bounds.is_empty() {
            self.first = run;
        }
        let index = run.saturating_sub(self.first) as usize;
        while self.bounds.len() <= index {
            self.bounds.push_back((u64::MAX, 0));
        }
        let (low, high) = &mut self.bounds[index];
        *low = (*low).min(start);
        *high = (*high).max(start);
    }

    /// May a trace of this run hold a span that starts within the bounds?
    pub(super) fn may_hold(&self, sequence: u64, from: u64, to: u64) -> bool {
        let index = (sequence / RUN).saturating_sub(self.first) as usize;
        self.bounds
            .get(index)
            .is_none_or(|(low, high)| *low <= to && from <= *high)
    }

    /// `oldest` is now the oldest trace kept (or the next to come).
    pub(super) fn forget_before(&mut self, oldest: u64) {
        while self.first < oldest / RUN && self.bounds.pop_front().is_some() {
            self.first += 1;
        }
    }

    pub(super) fn cost(&self) -> usize {
        self.bounds.capacity() * size_of::<(u64, u64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_skipped_by_their_bounds() {
        let mut zones = Zones::default();
        for sequence in 0..1024 {
            zones.widen(sequence, sequence * 10);
        }
        assert!(zones.may_hold(0, 0, 5));
        assert!(!zones.may_hold(0, 2561, u64::MAX));
        assert!(zones.may_hold(300, 2561, 2570));
        assert!(!zones.may_hold(1023, 0, 100));
        zones.widen(3, 9_000);
        assert!(
            zones.may_hold(0, 2561, u64::MAX),
            "a late span widens its run"
        );
        zones.forget_before(600);
        assert_eq!(zones.bounds.len(), 2);
        assert!(zones.may_hold(600, 6_000, 6_000));
        assert!(!zones.may_hold(600, 0, 100));
    }

    #[test]
    fn a_store_that_was_emptied_starts_again() {
        let mut zones = Zones::default();
        zones.widen(0, 1);
        zones.forget_before(10_000);
        zones.widen(10_000, 7);
        assert!(zones.may_hold(10_000, 7, 7));
        assert!(!zones.may_hold(10_000, 8, 9));
    }
}

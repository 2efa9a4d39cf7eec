//! What became of the items that an exporter was given.

use super::journal::ErrorType;

/// A collector cannot make more series of failures than this.
const MAX_FAILURES: usize = 64;

/// `submitted == exported + in_flight + failed`, between any two calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Handed to the exporter so far.
    pub(crate) submitted: u64,
    /// Of these, in the request that is under way.
    pub(crate) in_flight: u64,
    /// Of these, taken by the collector.
    pub(crate) exported: u64,
    /// Of these, lost, and why.
    pub(crate) failed: Vec<(ErrorType, u64)>,
}

impl Tally {
    /// A request with so many items is under way.
    pub(super) fn begin(&mut self, items: u64) {
        self.submitted += items;
        self.in_flight = items;
    }

    /// It is over, and some of its items are lost.
    pub(super) fn end(&mut self, error: ErrorType, lost: u64) {
        let items = std::mem::take(&mut self.in_flight);
        let lost = lost.min(items);
        self.exported += items - lost;
        if lost == 0 {
            return;
        }
        let full = self.failed.len() >= MAX_FAILURES;
        let known = self.failed.iter_mut().find(|(known, _)| *known == error);
        match known {
            Some((_, failed)) => *failed += lost,
            None if !full => self.failed.push((error, lost)),
            None => self.failed[MAX_FAILURES - 1].1 += lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_adds_up_however_many_ways_to_fail_there_are() {
        let mut tally = Tally::default();
        for n in 0..200 {
            tally.begin(10);
            tally.end(n.to_string().into(), n % 12);
            let failed: u64 = tally.failed.iter().map(|(_, items)| items).sum();
            assert_eq!(tally.submitted, tally.exported + failed);
        }
        assert_eq!(tally.failed.len(), MAX_FAILURES);
    }
}

//! Which traces hold something: their sequence numbers, ascending.

use std::collections::VecDeque;

use super::trace::ALLOCATION;

#[derive(Debug, Default)]
pub(super) struct Postings {
    sequences: VecDeque<u64>,
}

impl Postings {
    /// Adds a trace; one that is there already stays there once.
    pub(super) fn add(&mut self, sequence: u64) {
        match self.sequences.back() {
            Some(last) if *last == sequence => {}
            Some(last) if *last > sequence => {
                // A late span of an older trace.
                if let Err(at) = self.sequences.binary_search(&sequence) {
                    self.sequences.insert(at, sequence);
                }
            }
            _ => {
                if self.sequences.len() == self.sequences.capacity() {
                    self.sequences
                        .reserve_exact((self.sequences.len() / 4).max(2));
                }
                self.sequences.push_back(sequence);
            }
        }
    }

    /// Removes a trace that is the oldest of the store, and so, if it is here, the first.
    pub(super) fn remove_oldest(&mut self, sequence: u64) {
        if self.sequences.front() == Some(&sequence) {
            self.sequences.pop_front();
            if self.sequences.len() < self.sequences.capacity() / 4 {
                self.sequences.shrink_to(self.sequences.len() * 2);
            }
        }
    }

    /// Newest first, those below `before`.
    pub(super) fn newest_below(&self, before: u64) -> impl Iterator<Item = u64> {
        let end = self
            .sequences
            .partition_point(|sequence| *sequence < before);
        self.sequences.range(..end).rev().copied()
    }

    pub(super) fn cost(&self) -> usize {
        match self.sequences.capacity() {
            0 => 0,
            capacity => capacity * size_of::<u64>() + ALLOCATION,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_additions_keep_the_order() {
        let mut postings = Postings::default();
        for sequence in [3, 5, 9, 9, 4, 5, 1, 12] {
            postings.add(sequence);
        }
        let newest = |below| postings.newest_below(below).collect::<Vec<_>>();
        assert_eq!(newest(u64::MAX), [12, 9, 5, 4, 3, 1]);
        assert_eq!(newest(5), [4, 3, 1]);
        assert_eq!(newest(1), [] as [u64; 0]);
    }

    #[test]
    fn only_the_oldest_goes() {
        let mut postings = Postings::default();
        (0..100).for_each(|sequence| postings.add(sequence));
        postings.remove_oldest(7);
        assert_eq!(postings.newest_below(u64::MAX).count(), 100);
        let full = postings.cost();
        (0..99).for_each(|sequence| postings.remove_oldest(sequence));
        assert_eq!(postings.newest_below(u64::MAX).collect::<Vec<_>>(), [99]);
        assert!(postings.cost() < full / 4, "memory is given back");
    }
}

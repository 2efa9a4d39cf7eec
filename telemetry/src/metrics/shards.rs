//! Series of work beside HTTP: every thread adds to one of a few maps, and a reader sums them up.
//!
//! A statement or a message takes far longer than a lock that nobody else wants, so threads need
//! no histograms of their own here; and what a thread has counted stays when it ends.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::family::LabelValue;
use super::series::MAX_SERIES;
use crate::sync::lock;

const SHARDS: usize = 8;

/// The values of a series' labels, in the order of the instrument's names; none for the series in
/// which everything is counted that has no room of its own.
pub(super) type Key = Box<[LabelValue]>;

/// What a series holds.
pub(super) trait Tally: Clone {
    fn add(&mut self, other: &Self);
}

impl Tally for u64 {
    fn add(&mut self, other: &u64) {
        *self += other;
    }
}

#[derive(Debug)]
pub(super) struct Shards<T> {
    shards: [Mutex<HashMap<Key, T>>; SHARDS],
}

thread_local! {
    static MINE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl<T: Tally> Shards<T> {
    pub(super) fn new() -> Shards<T> {
        Shards {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Changes a series; `empty` is what it begins with.
    pub(super) fn change(
        &self,
        labels: &[LabelValue],
        empty: impl FnOnce() -> T,
        change: impl FnOnce(&mut T),
    ) {
        let mine = MINE.try_with(|mine| *mine).unwrap_or(0);
        let mut series = lock(&self.shards[mine]);
        if let Some(known) = series.get_mut(labels) {
            return change(known);
        }
        // One place is kept for the overflow itself.
        let room = series.len() + 1 < MAX_SERIES;
        let key = if room { labels } else { &[] };
        change(series.entry(key.into()).or_insert_with(empty));
    }

    /// Every series, ordered by its labels.
    pub(super) fn sum(&self) -> BTreeMap<Key, T> {
        let mut sum: BTreeMap<Key, T> = BTreeMap::new();
        for shard in &self.shards {
            for (labels, tally) in lock(shard).iter() {
                if let Some(known) = sum.get_mut(labels) {
                    known.add(tally);
                } else {
                    sum.insert(labels.clone(), tally.clone());
                }
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn no_count_is_lost_when_threads_end() {
        let shards = Arc::new(Shards::new());
        let threads = (0..20).map(|at: u16| {
            let shards = Arc::clone(&shards);
            std::thread::spawn(move || {
                for _ in 0..1_000 {
                    shards.change(&[(at % 3 + 1).into()], || 0, |count| *count += 1);
                }
            })
        });
        for thread in threads.collect::<Vec<_>>() {
            thread.join().unwrap();
        }
        let counts: Vec<u64> = shards.sum().into_values().collect();
        assert_eq!(counts, [7_000, 7_000, 6_000]);
    }

    #[test]
    fn series_beyond_the_limit_share_one() {
        let shards = Shards::new();
        for at in 0..3_000_u16 {
            shards.change(&[at.into()], || 0, |count| *count += 1);
        }
        let sum = shards.sum();
        assert_eq!(sum.len(), MAX_SERIES);
        let overflow: &[LabelValue] = &[];
        assert_eq!(sum[overflow], 3_001 - MAX_SERIES as u64);
    }
}

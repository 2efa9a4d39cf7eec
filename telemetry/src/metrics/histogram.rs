//! A histogram of one series on one thread, and the sums of many.
//!
//! Each thread that records has histograms of its own ([`Recorder`], which cannot be
//! cloned or shared), so an increment is a relaxed load and a relaxed store: no locked
//! instruction, no cache line passed between cores. Reading is allowed from anywhere:
//! per bucket the reader sees some value that was stored, and values of one atomic only
//! grow in its modification order, so what is scraped never goes back. Buckets, sum and
//! exemplars of one scrape may be an instant apart; the count is the sum of the buckets
//! and therefore always agrees with them.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;

use super::atomic::{AtomicU64, Ordering};
use super::exemplar::{Exemplar, ExemplarCell};
use super::family::Distribution;

/// Upper bounds in seconds that the semantic conventions advise for
/// `http.server.request.duration` and `http.client.request.duration`.
pub(crate) const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// One more than the bounds: the last bucket has no upper bound.
pub(crate) const BUCKETS: usize = BOUNDS.len() + 1;

/// What readers see of one thread's histogram.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS],
    /// Bits of an `f64`, seconds.
    sum: AtomicU64,
    exemplars: [ExemplarCell; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            sum: AtomicU64::new(0),
            exemplars: std::array::from_fn(|_| ExemplarCell::default()),
        }
    }
}

/// The only handle that writes: it can move to another thread but not be shared.
#[derive(Debug)]
pub(crate) struct Recorder {
    histogram: Arc<Histogram>,
    not_sync: PhantomData<Cell<()>>,
}

impl Recorder {
    /// A fresh histogram: the handle that writes it, and the one that reads it.
    pub(crate) fn new() -> (Self, Arc<Histogram>) {
        let histogram = Arc::new(Histogram::default());
        (
            Self {
                histogram: Arc::clone(&histogram),
                not_sync: PhantomData,
            },
            histogram,
        )
    }

    /// Counts one duration; `span` is the sampled span it was measured in.
    pub(crate) fn record(&self, seconds: f64, span: Option<&Exemplar>) {
        let bucket = bucket_of(seconds);
        let count = &self.histogram.counts[bucket];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let sum = f64::from_bits(self.histogram.sum.load(Ordering::Relaxed)) + seconds;
        self.histogram.sum.store(sum.to_bits(), Ordering::Relaxed);
        if let Some(exemplar) = span {
            self.histogram.exemplars[bucket].write(exemplar);
        }
    }
}

/// The first bucket whose upper bound is not below the value.
fn bucket_of(seconds: f64) -> usize {
    BOUNDS.iter().take_while(|bound| **bound < seconds).count()
}

/// A histogram as plain numbers: of a dead thread, or of all threads together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) counts: [u64; BUCKETS],
    /// Seconds.
    pub(crate) sum: f64,
    pub(crate) exemplars: [Option<Exemplar>; BUCKETS],
}

impl Totals {
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Counts one duration directly, where there is no thread to own a [`Recorder`].
    pub(crate) fn record(&mut self, seconds: f64, span: Option<&Exemplar>) {
        let bucket = bucket_of(seconds);
        self.counts[bucket] += 1;
        self.sum += seconds;
        if let Some(exemplar) = span {
            self.keep_newest(bucket, *exemplar);
        }
    }

    /// Adds what one thread has recorded so far.
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        for (total, count) in self.counts.iter_mut().zip(&histogram.counts) {
            *total += count.load(Ordering::Relaxed);
        }
        self.sum += f64::from_bits(histogram.sum.load(Ordering::Relaxed));
        for (bucket, cell) in histogram.exemplars.iter().enumerate() {
            if let Some(exemplar) = cell.read() {
                self.keep_newest(bucket, exemplar);
            }
        }
    }

    fn keep_newest(&mut self, bucket: usize, exemplar: Exemplar) {
        let room = &mut self.exemplars[bucket];
        if room.is_none_or(|kept| kept.at_nanos <= exemplar.at_nanos) {
            *room = Some(exemplar);
        }
    }
}

impl From<Totals> for Distribution {
    fn from(totals: Totals) -> Self {
        let exemplars = totals.exemplars.into_iter().enumerate();
        Self {
            bounds: (&BOUNDS[..]).into(),
            counts: totals.counts.into(),
            sum: totals.sum,
            exemplars: exemplars
                .filter_map(|(at, exemplar)| Some((at, exemplar?)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(value: f64, at_nanos: u64) -> Exemplar {
        Exemplar {
            trace_id: 7 << 64 | 9,
            span_id: 3,
            value,
            at_nanos,
        }
    }

    #[test]
    fn a_value_on_a_bound_belongs_to_that_bucket() {
        assert_eq!(bucket_of(0.0), 0);
        assert_eq!(bucket_of(0.005), 0);
        assert_eq!(bucket_of(0.005_000_1), 1);
        assert_eq!(bucket_of(10.0), 13);
        assert_eq!(bucket_of(10.1), 14);
    }

    #[test]
    fn totals_add_threads_and_keep_the_newest_exemplar() {
        let (first, first_seen) = Recorder::new();
        let (second, second_seen) = Recorder::new();
        first.record(0.2, Some(&exemplar(0.2, 20)));
        second.record(0.21, Some(&exemplar(0.21, 10)));
        second.record(20.0, None);
        let mut totals = Totals::default();
        totals.add(&first_seen);
        totals.add(&second_seen);
        assert_eq!(totals.count(), 3);
        assert!((totals.sum - 20.41).abs() < 1e-9);
        assert_eq!(totals.exemplars[6], Some(exemplar(0.2, 20)));
        assert_eq!(totals.exemplars[14], None);
    }

    #[test]
    fn readers_never_see_a_torn_exemplar_nor_a_falling_count() {
        let (recorder, seen) = Recorder::new();
        let writer = std::thread::spawn(move || {
            for i in 0..200_000_u64 {
                let exemplar = Exemplar {
                    trace_id: u128::from(i) << 64 | u128::from(i),
                    span_id: i,
                    value: 0.001,
                    at_nanos: i,
                };
                recorder.record(0.001, Some(&exemplar));
            }
        });
        let mut last = 0;
        while !writer.is_finished() {
            let mut totals = Totals::default();
            totals.add(&seen);
            assert!(totals.count() >= last);
            last = totals.count();
            if let Some(e) = totals.exemplars[0] {
                assert_eq!(e.trace_id >> 64, u128::from(e.span_id));
                assert_eq!(e.trace_id as u64, e.span_id);
                assert_eq!(e.at_nanos, e.span_id);
            }
        }
        writer.join().unwrap();
    }
}

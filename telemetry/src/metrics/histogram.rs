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
use std::fmt::Debug;
use std::marker::PhantomData;
// Bounds are only read: the model need not see who shares them.
use std::sync::Arc as ReadOnly;

use super::atomic::{Arc, AtomicU64, Mutex, Ordering, lock};
use super::exemplar::{Exemplar, ExemplarCell};
use super::exponential::Exponential;
use crate::settings::HistogramAggregation;

/// Upper bounds in seconds that the semantic conventions advise for
/// `http.server.request.duration` and `http.client.request.duration`.
pub(crate) const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// Where the buckets of a histogram end, and room for them: of a known number, so that the
/// code for it is straight, or not.
pub(crate) trait Buckets: Clone + Debug {
    type Counts: AsRef<[AtomicU64]> + Debug;
    type Exemplars: AsRef<[ExemplarCell]> + Debug;

    /// Upper bounds, ascending. There is one more bucket than bounds: the last has none.
    fn bounds(&self) -> &[f64];
    fn counts(&self) -> Self::Counts;
    fn exemplars(&self) -> Self::Exemplars;
}

/// Upper bounds in bytes for `http.*.body.size`, for which the semantic conventions advise none:
/// no body, then powers of four from 128 B to 128 MiB.
pub(crate) const BYTES: [f64; 12] = [
    0.0,
    128.0,
    512.0,
    2_048.0,
    8_192.0,
    32_768.0,
    131_072.0,
    524_288.0,
    2_097_152.0,
    8_388_608.0,
    33_554_432.0,
    134_217_728.0,
];

/// Buckets that are known when this is compiled.
pub(crate) trait Fixed: Buckets + Default {
    const BOUNDS: &'static [f64];
}

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident = $bounds:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub(crate) struct $name;

        impl Buckets for $name {
            type Counts = [AtomicU64; $bounds.len() + 1];
            type Exemplars = [ExemplarCell; $bounds.len() + 1];

            fn bounds(&self) -> &[f64] {
                &$bounds
            }

            fn counts(&self) -> Self::Counts {
                std::array::from_fn(|_| AtomicU64::new(0))
            }

            fn exemplars(&self) -> Self::Exemplars {
                std::array::from_fn(|_| ExemplarCell::default())
            }
        }

        impl Fixed for $name {
            const BOUNDS: &'static [f64] = &$bounds;
        }
    };
}

fixed!(
    /// The buckets of [`BOUNDS`].
    Seconds = BOUNDS
);
fixed!(
    /// The buckets of [`BYTES`].
    Bytes = BYTES
);

/// Bounds that somebody chose.
#[derive(Clone, Debug)]
pub(crate) struct Chosen(pub(crate) ReadOnly<[f64]>);

impl Buckets for Chosen {
    type Counts = Box<[AtomicU64]>;
    type Exemplars = Box<[ExemplarCell]>;

    fn bounds(&self) -> &[f64] {
        &self.0
    }

    fn counts(&self) -> Self::Counts {
        (0..=self.0.len()).map(|_| AtomicU64::new(0)).collect()
    }

    fn exemplars(&self) -> Self::Exemplars {
        (0..=self.0.len())
            .map(|_| ExemplarCell::default())
            .collect()
    }
}

/// What readers see of one thread's histogram.
#[derive(Debug)]
pub(crate) struct Histogram<B: Buckets> {
    counts: B::Counts,
    /// Bits of an `f64`.
    sum: AtomicU64,
    exemplars: B::Exemplars,
    /// Besides, for the push, if that was chosen. Readers alone contend for the lock.
    exponential: Option<Box<Mutex<Exponential>>>,
}

/// The only handle that writes: it can move to another thread but not be shared.
#[derive(Debug)]
pub(crate) struct Recorder<B: Buckets> {
    buckets: B,
    histogram: Arc<Histogram<B>>,
    not_sync: PhantomData<Cell<()>>,
}

impl<B: Buckets> Recorder<B> {
    /// A fresh histogram: the handle that writes it, and the one that reads it.
    pub(crate) fn new(buckets: B, aggregation: HistogramAggregation) -> (Self, Arc<Histogram<B>>) {
        let exponential = aggregation.exponential();
        let histogram = Arc::new(Histogram {
            counts: buckets.counts(),
            sum: AtomicU64::new(0),
            exemplars: buckets.exemplars(),
            exponential: exponential.map(|empty| Box::new(Mutex::new(empty))),
        });
        let recorder = Self {
            buckets,
            histogram: Arc::clone(&histogram),
            not_sync: PhantomData,
        };
        (recorder, histogram)
    }

    /// Counts one value; `span` is the sampled span it was measured in.
    pub(crate) fn record(&self, value: f64, span: Option<&Exemplar>) {
        let bucket = bucket_of(self.buckets.bounds(), value);
        let count = &self.histogram.counts.as_ref()[bucket];
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let sum = f64::from_bits(self.histogram.sum.load(Ordering::Relaxed)) + value;
        self.histogram.sum.store(sum.to_bits(), Ordering::Relaxed);
        if let Some(exemplar) = span {
            self.histogram.exemplars.as_ref()[bucket].write(exemplar);
        }
        if let Some(exponential) = &self.histogram.exponential {
            record_exponential(exponential, value);
        }
    }
}

#[inline(never)]
fn record_exponential(exponential: &Mutex<Exponential>, value: f64) {
    lock(exponential).record(value);
}

/// The first bucket whose upper bound is not below the value.
pub(super) fn bucket_of(bounds: &[f64], value: f64) -> usize {
    bounds.iter().take_while(|bound| **bound < value).count()
}

/// A histogram as plain numbers: of a dead thread, or of all threads together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Totals {
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
    pub(crate) exemplars: Vec<Option<Exemplar>>,
    pub(crate) exponential: Option<Exponential>,
}

impl Totals {
    pub(crate) fn new(bounds: &[f64], aggregation: HistogramAggregation) -> Self {
        Self {
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
            exemplars: vec![None; bounds.len() + 1],
            exponential: aggregation.exponential(),
        }
    }

    /// Counts one value directly, where there is no thread to own a [`Recorder`].
    pub(crate) fn record(&mut self, bounds: &[f64], value: f64, span: Option<&Exemplar>) {
        let bucket = bucket_of(bounds, value);
        self.counts[bucket] += 1;
        self.sum += value;
        if let Some(exemplar) = span {
            self.keep_newest(bucket, *exemplar);
        }
        if let Some(exponential) = &mut self.exponential {
            exponential.record(value);
        }
    }

    /// Adds what one thread has recorded so far.
    pub(crate) fn add<B: Buckets>(&mut self, histogram: &Histogram<B>) {
        for (total, count) in self.counts.iter_mut().zip(histogram.counts.as_ref()) {
            *total += count.load(Ordering::Relaxed);
        }
        self.sum += f64::from_bits(histogram.sum.load(Ordering::Relaxed));
        for (bucket, cell) in histogram.exemplars.as_ref().iter().enumerate() {
            if let Some(exemplar) = cell.read() {
                self.keep_newest(bucket, exemplar);
            }
        }
        if let (Some(all), Some(one)) = (&mut self.exponential, &histogram.exponential) {
            all.merge(&lock(one));
        }
    }

    fn keep_newest(&mut self, bucket: usize, exemplar: Exemplar) {
        let room = &mut self.exemplars[bucket];
        if room.is_none_or(|kept| kept.at_nanos <= exemplar.at_nanos) {
            *room = Some(exemplar);
        }
    }
}

//! One series over all threads: those that still record, and the sum of those that have ended.

use super::atomic::Arc;
use super::exemplar::Exemplar;
use super::histogram::{Buckets, Histogram, Recorder, Totals};
use crate::settings::HistogramAggregation;

#[derive(Debug)]
pub(super) struct Series<B: Buckets> {
    buckets: B,
    aggregation: HistogramAggregation,
    /// What dead threads recorded.
    base: Totals,
    threads: Vec<Arc<Histogram<B>>>,
}

impl<B: Buckets> Series<B> {
    pub(super) fn new(buckets: B, aggregation: HistogramAggregation) -> Self {
        Self {
            base: Totals::new(buckets.bounds(), aggregation),
            buckets,
            aggregation,
            threads: Vec::new(),
        }
    }

    /// A new thread's half.
    pub(super) fn join(&mut self) -> Recorder<B> {
        // Without this a service whose threads come and go, and that nobody scrapes,
        // would pile up their histograms.
        self.fold_dead();
        let (recorder, histogram) = Recorder::new(self.buckets.clone(), self.aggregation);
        self.threads.push(histogram);
        recorder
    }

    /// Records without a thread's own histogram.
    pub(super) fn record(&mut self, value: f64, span: Option<&Exemplar>) {
        self.base.record(self.buckets.bounds(), value, span);
    }

    /// The sum of all threads.
    pub(super) fn totals(&mut self) -> Totals {
        self.fold_dead();
        let mut totals = self.base.clone();
        for histogram in &self.threads {
            totals.add(histogram);
        }
        totals
    }

    /// Histograms that are kept apart from the base.
    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Moves the numbers of threads that are gone into the base. `get_mut` succeeds only
    /// when the writing half was dropped, and synchronises with that drop.
    fn fold_dead(&mut self) {
        let base = &mut self.base;
        self.threads
            .retain_mut(|histogram| match Arc::get_mut(histogram) {
                Some(dead) => {
                    base.add(dead);
                    false
                }
                None => true,
            });
    }
}

//! The series of one instrument over all threads, and each thread's own way to them.
//!
//! A thread that records a series for the first time takes the lock once, leaves the
//! reading half of a fresh histogram here and keeps the writing half. When the thread is
//! gone its numbers are folded into the series' base, so that counters stay where they
//! were. At most [`MAX_SERIES`] series exist; what comes later shares the overflow series.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::exemplar::Exemplar;
use super::family::Distribution;
use super::fold::Series;
use super::histogram::{Fixed, Recorder};
use super::labels::Key;
use crate::settings::HistogramAggregation;
use crate::sync::lock;

/// Series of one instrument, the SDK's own default limit.
pub(crate) const MAX_SERIES: usize = 2_000;

/// All threads' histograms of one instrument.
#[derive(Debug)]
pub(crate) struct Instrument<B: Fixed> {
    aggregation: HistogramAggregation,
    series: Mutex<BTreeMap<Key, Series<B>>>,
}

impl<B: Fixed> Instrument<B> {
    pub(crate) fn new(aggregation: HistogramAggregation) -> Self {
        Instrument {
            aggregation,
            series: Mutex::default(),
        }
    }

    /// A new thread's half of a series, and the key it got: the one asked for, or
    /// [`Key::OVERFLOW`] when there is no room for one more.
    fn join(&self, key: Key) -> (Key, Recorder<B>) {
        let mut series = lock(&self.series);
        let key = room_for(&series, key);
        (key, self.of(&mut series, key).join())
    }

    fn has(&self, key: Key) -> bool {
        lock(&self.series).contains_key(&key)
    }

    /// Records without a thread's own histogram: slower, and right at any time, also while
    /// the thread's local storage is being torn down.
    pub(crate) fn record_shared(&self, key: Key, value: f64, span: Option<&Exemplar>) {
        let mut series = lock(&self.series);
        let key = room_for(&series, key);
        self.of(&mut series, key).record(value, span);
    }

    fn of<'s>(&self, series: &'s mut BTreeMap<Key, Series<B>>, key: Key) -> &'s mut Series<B> {
        let new = || Series::new(B::default(), self.aggregation);
        series.entry(key).or_insert_with(new)
    }

    /// Every series with the sum of all threads, ordered by key.
    pub(crate) fn snapshot(&self) -> Vec<(Key, Distribution)> {
        let mut series = lock(&self.series);
        series
            .iter_mut()
            .map(|(key, one)| (*key, one.totals().over(B::BOUNDS)))
            .collect()
    }
}

fn room_for<B: Fixed>(series: &BTreeMap<Key, Series<B>>, key: Key) -> Key {
    // One place is kept for the overflow itself.
    if series.len() + 1 < MAX_SERIES || series.contains_key(&key) {
        key
    } else {
        Key::OVERFLOW
    }
}

/// One thread's writing halves of one instrument, found by place and then by key.
#[derive(Debug)]
pub(crate) struct Recorders<B: Fixed> {
    by_place: Vec<Vec<(Key, Recorder<B>)>>,
    overflow: Option<Recorder<B>>,
}

impl<B: Fixed> Default for Recorders<B> {
    fn default() -> Self {
        Recorders {
            by_place: Vec::new(),
            overflow: None,
        }
    }
}

impl<B: Fixed> Recorders<B> {
    /// Records into this thread's histogram of the series, joining it the first time.
    pub(crate) fn record(
        &mut self,
        instrument: &Instrument<B>,
        key: Key,
        value: f64,
        span: Option<&Exemplar>,
    ) {
        let known = self.by_place.get(key.place.index());
        let known = known.and_then(|known| known.iter().find(|(k, _)| *k == key));
        match known {
            Some((_, recorder)) => recorder.record(value, span),
            None => self.record_first(instrument, key, value, span),
        }
    }

    #[cold]
    fn record_first(
        &mut self,
        instrument: &Instrument<B>,
        key: Key,
        value: f64,
        span: Option<&Exemplar>,
    ) {
        if let Some(overflow) = &self.overflow
            && !instrument.has(key)
        {
            overflow.record(value, span);
            return;
        }
        let (got, recorder) = instrument.join(key);
        recorder.record(value, span);
        if got == key {
            let place = key.place.index();
            if self.by_place.len() <= place {
                self.by_place.resize_with(place + 1, Vec::new);
            }
            self.by_place[place].push((key, recorder));
        } else {
            // Keys without a room of their own are not remembered: there is no end to them.
            self.overflow = Some(recorder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::histogram::Seconds;
    use crate::metrics::labels::NameId;
    use std::sync::Arc;

    fn key(place: u8, status: u16) -> Key {
        let place = NameId::from_small(place);
        Key {
            place,
            status,
            method: 0,
            scheme: 0,
            version: 2,
            error: 0,
        }
    }

    fn count(instrument: &Instrument<Seconds>) -> u64 {
        instrument
            .snapshot()
            .iter()
            .map(|(_, totals)| totals.count())
            .sum()
    }

    #[test]
    fn threads_that_end_leave_their_counts_and_nothing_else() {
        let instrument = Arc::new(Instrument::<Seconds>::new(HistogramAggregation::default()));
        for round in 1..=50_u64 {
            let theirs = Arc::clone(&instrument);
            std::thread::spawn(move || {
                Recorders::default().record(&theirs, key(1, 200), 0.01, None);
            })
            .join()
            .unwrap();
            assert_eq!(count(&instrument), round);
        }
        assert_eq!(lock(&instrument.series)[&key(1, 200)].threads(), 0);
    }

    #[test]
    fn unscraped_threads_do_not_pile_up() {
        let instrument = Instrument::<Seconds>::new(HistogramAggregation::default());
        for _ in 0..100 {
            Recorders::default().record(&instrument, key(1, 200), 0.01, None);
        }
        assert!(lock(&instrument.series)[&key(1, 200)].threads() <= 1);
        assert_eq!(count(&instrument), 100);
    }

    #[test]
    fn series_beyond_the_limit_share_the_overflow() {
        let instrument = Instrument::<Seconds>::new(HistogramAggregation::default());
        let mut recorders = Recorders::default();
        for status in 0..3_000 {
            recorders.record(&instrument, key(3, status), 0.01, None);
        }
        instrument.record_shared(key(9, 9), 0.01, None);
        let snapshot = instrument.snapshot();
        assert_eq!(snapshot.len(), MAX_SERIES);
        let overflow = snapshot
            .iter()
            .find(|(key, _)| *key == Key::OVERFLOW)
            .unwrap();
        assert_eq!(overflow.1.count(), 3_001 - (MAX_SERIES as u64 - 1));
        assert_eq!(count(&instrument), 3_001);
    }
}

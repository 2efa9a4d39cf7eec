//! What threads share without a lock, under loom: the very files, with loom's atomics, in every
//! order of execution that the memory model allows.

mod atomic {
    pub(super) use loom::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
    pub(super) use loom::sync::{Arc, Mutex};

    pub(super) fn lock<T>(mutex: &Mutex<T>) -> loom::sync::MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}

macro_rules! the_same {
    ($($name:ident = $file:literal),*) => {
        $(
            #[path = $file]
            #[allow(
                dead_code,
                clippy::duplicate_mod,
                reason = "the same code over other atomics is the point"
            )]
            mod $name;
        )*
    };
}

the_same!(
    exemplar = "exemplar.rs",
    histogram = "histogram.rs",
    fold = "fold.rs",
    active = "active.rs"
);
use super::{exponential, labels};
use crate::settings::HistogramAggregation;

use atomic::{Arc, Mutex, lock};
use exemplar::{Exemplar, ExemplarCell};
use histogram::Chosen;

fn model(preemptions: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(check);
}

fn exemplar(n: u32) -> Exemplar {
    Exemplar {
        trace_id: u128::from(n) << 64 | u128::from(n),
        span_id: n.into(),
        value: n.into(),
        at_nanos: n.into(),
    }
}

/// The reader is the spawned thread: the other way round loom does not come back to a read
/// that the writer's own first read follows, and finds nothing to try. One preemption is
/// enough to fail when any of the four orderings is relaxed, and two take a minute.
#[test]
fn a_reader_sees_one_write_or_none() {
    model(1, || {
        let cell = Arc::new(ExemplarCell::default());
        let theirs = Arc::clone(&cell);
        let reader = loom::thread::spawn(move || {
            let seen = theirs.read();
            let whole = [None, Some(exemplar(1)), Some(exemplar(2))];
            assert!(whole.contains(&seen), "{seen:?}");
        });
        cell.write(&exemplar(1));
        cell.write(&exemplar(2));
        reader.join().unwrap();
    });
}

/// A thread ends while another reads, which folds it or not: each count is seen once, and none
/// is taken back.
#[test]
fn a_thread_that_ends_during_a_scrape_loses_nothing() {
    model(3, || {
        let buckets = Chosen([1.0][..].into());
        let aggregation = HistogramAggregation::ExplicitBucket;
        let series = Arc::new(Mutex::new(fold::Series::new(buckets, aggregation)));
        let theirs = Arc::clone(&series);
        let thread = loom::thread::spawn(move || {
            let recorder = lock(&theirs).join();
            recorder.record(0.5, None);
            recorder.record(2.0, None);
        });
        let mut before = vec![0, 0];
        for _ in 0..2 {
            let counts = lock(&series).totals().counts;
            let grew = before
                .iter()
                .zip(&counts)
                .all(|(before, now)| before <= now);
            assert!(grew && counts <= vec![1, 1], "{before:?} {counts:?}");
            before = counts;
        }
        thread.join().unwrap();
        let mut series = lock(&series);
        let totals = series.totals();
        assert_eq!((totals.counts, totals.sum), (vec![1, 1], 2.5));
        assert_eq!(series.threads(), 0);
    });
}

/// A request that begins on one thread and ends on another, both of which end.
#[test]
fn requests_in_flight_come_down_to_none() {
    model(2, || {
        let active = Arc::new(active::Active::new(1));
        let here = active.join();
        here.add(0, 0, 1);
        let theirs = Arc::clone(&active);
        let thread = loom::thread::spawn(move || theirs.join().add(0, 0, -1));
        let seen = active.snapshot();
        assert!(matches!(seen[..], [(0, 0, 0 | 1)]), "{seen:?}");
        drop(here);
        thread.join().unwrap();
        assert_eq!(active.snapshot(), [(0, 0, 0)]);
    });
}

//! Rules of the histograms and of the requests in flight. They stand apart from these because the
//! model test takes their files as they are, and needs a loom's thread for each step.

use super::active::Active;
use super::exemplar::Exemplar;
use super::histogram::{BOUNDS, Recorder, Seconds, Totals, bucket_of};
use crate::settings::HistogramAggregation;

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
    assert_eq!(bucket_of(&BOUNDS, 0.0), 0);
    assert_eq!(bucket_of(&BOUNDS, 0.005), 0);
    assert_eq!(bucket_of(&BOUNDS, 0.005_000_1), 1);
    assert_eq!(bucket_of(&BOUNDS, 10.0), 13);
    assert_eq!(bucket_of(&BOUNDS, 10.1), 14);
}

#[test]
fn totals_add_threads_and_keep_the_newest_exemplar() {
    let (first, first_seen) = Recorder::new(Seconds, HistogramAggregation::default());
    let (second, second_seen) = Recorder::new(Seconds, HistogramAggregation::default());
    first.record(0.2, Some(&exemplar(0.2, 20)));
    second.record(0.21, Some(&exemplar(0.21, 10)));
    second.record(20.0, None);
    let mut totals = Totals::new(&BOUNDS, HistogramAggregation::default());
    totals.add(&first_seen);
    totals.add(&second_seen);
    assert_eq!(totals.counts.iter().sum::<u64>(), 3);
    assert!((totals.sum - 20.41).abs() < 1e-9);
    assert_eq!(totals.exemplars[6], Some(exemplar(0.2, 20)));
    assert_eq!(totals.exemplars[14], None);
}

#[test]
fn readers_never_see_a_torn_exemplar_nor_a_falling_count() {
    let (recorder, seen) = Recorder::new(Seconds, HistogramAggregation::default());
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
        let mut totals = Totals::new(&BOUNDS, HistogramAggregation::default());
        totals.add(&seen);
        assert!(totals.counts.iter().sum::<u64>() >= last);
        last = totals.counts.iter().sum::<u64>();
        if let Some(e) = totals.exemplars[0] {
            assert_eq!(e.trace_id >> 64, u128::from(e.span_id));
            assert_eq!(e.trace_id as u64, e.span_id);
            assert_eq!(e.at_nanos, e.span_id);
        }
    }
    writer.join().unwrap();
}

#[test]
fn a_request_that_moves_between_threads_counts_once() {
    let active = Active::new(1);
    let here = active.join();
    here.add(0, 0, 1);
    here.add(0, 0, 1);
    std::thread::scope(|scope| {
        scope.spawn(|| active.join().add(0, 0, -1)).join().unwrap();
    });
    assert_eq!(active.snapshot(), [(0, 0, 1)]);
    active.add_shared(0, 0, -1);
    assert_eq!(active.snapshot(), [(0, 0, 0)]);
    assert_eq!(active.threads(), 1);
}

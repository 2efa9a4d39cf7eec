//! The sequence lock of exemplars under loom: its very file, with loom's atomics, in every
//! order of execution that the memory model allows.

mod atomic {
    pub(super) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
}
#[path = "exemplar.rs"]
#[allow(
    clippy::duplicate_mod,
    reason = "the same code over other atomics is the point"
)]
mod exemplar;

use exemplar::{Exemplar, ExemplarCell};
use loom::sync::Arc;

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
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(1);
    model.check(|| {
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

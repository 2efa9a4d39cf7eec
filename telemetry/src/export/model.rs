//! The threads' buffers under loom: their very file, with loom's locks and atomics, in the orders
//! of execution that matter. No span is lost, none is counted twice.

mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, Ordering};
    pub(super) use loom::sync::{Arc as Handle, Mutex};

    pub(super) fn lock<T>(mutex: &Mutex<T>) -> loom::sync::MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}
#[path = "buffers.rs"]
#[allow(
    clippy::duplicate_mod,
    dead_code,
    reason = "the same code over other locks is the point, and not all of it is tried"
)]
mod buffers;

// Where the buffers' file looks for its neighbours.
use super::{batch, ledger};

use crate::counts::DropReason;
use crate::settings::Queue;
use buffers::Buffers;
use ledger::{Flow, Outcome};
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

/// Orders with more preemptions are not tried. Three are enough to find a span that is written
/// between the last sealing of an ended thread's buffer and its being forgotten.
const PREEMPTIONS: usize = 3;

fn check(scenario: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(scenario);
}

/// Buffers whose every span is a chunk if `chunk_spans` is 1.
fn shared(chunk_spans: u64) -> Arc<Buffers> {
    Arc::new(Buffers::new(Queue {
        max_batch_records: chunk_spans,
        ..Queue::default()
    }))
}

/// A thread that ends so many spans, and with them.
fn writer(buffers: &Arc<Buffers>, spans: usize) -> JoinHandle<()> {
    let buffers = Arc::clone(buffers);
    thread::spawn(move || {
        let scope = std::sync::Arc::from(&b"scope"[..]);
        let buffer = buffers.add();
        for _ in 0..spans {
            buffers.push(&buffer, &scope, |out| out.push(0));
        }
    })
}

fn adds_up(flow: &Flow) {
    let counts = &flow.counts;
    assert_eq!(
        counts.produced,
        counts.exported + counts.dropped() + counts.queued,
        "{flow:?}"
    );
}

/// Takes everything out; how many spans that was.
fn drain(buffers: &Buffers) -> u64 {
    buffers.seal_all();
    let before = buffers.flow().counts.exported;
    let envelope = batch::Envelope::new(&[], &[]);
    while buffers.take(&envelope).is_some() {
        buffers.settle(Outcome::Exported { rejected: 0 });
    }
    buffers.flow().counts.exported - before
}

#[test]
fn what_is_sealed_while_it_is_written_arrives_once() {
    for chunk_spans in [1, 512] {
        check(move || {
            let buffers = shared(chunk_spans);
            let writer = writer(&buffers, 2);
            let first = drain(&buffers);
            adds_up(&buffers.flow());
            writer.join().unwrap();
            let second = drain(&buffers);
            assert_eq!(first + second, 2);
            let flow = buffers.flow();
            assert_eq!((flow.counts.produced, flow.counts.queued), (2, 0));
            // Its thread has ended, and what it has produced is remembered.
            assert_eq!(buffers.threads(), 0);
        });
    }
}

#[test]
fn nothing_slips_in_behind_a_close() {
    check(|| {
        let buffers = shared(512);
        let writer = writer(&buffers, 2);
        buffers.close();
        buffers.give_up();
        let flow = buffers.flow();
        adds_up(&flow);
        assert_eq!(flow.counts.queued, 0);
        writer.join().unwrap();
        let flow = buffers.flow();
        assert_eq!(flow.counts.dropped_for(DropReason::Shutdown), 2);
        assert_eq!((flow.counts.produced, flow.counts.queued), (2, 0));
    });
}

#[test]
fn every_snapshot_adds_up() {
    check(|| {
        let buffers = shared(1);
        let (one, other) = (writer(&buffers, 1), writer(&buffers, 1));
        adds_up(&buffers.flow());
        buffers.seal_all();
        adds_up(&buffers.flow());
        one.join().unwrap();
        other.join().unwrap();
        assert_eq!(drain(&buffers), 2);
    });
}

//! The way of spans from the threads that end them to the one that sends them. Log records may have
//! one of their own: `ScopeLogs` has its fields at the same numbers as `ScopeSpans`.

use super::batch::Envelope;
use super::buffers::{Buffer, Buffers, Shared};
use super::collector::Deliveries;
use super::journal::Journal;
use super::ledger::Outcome;
use super::report::Report;
use super::signal::Signal;
use crate::counts::SpanCounts;
use crate::settings::Queue;
use crate::sync::lock;
use std::cell::RefCell;
use std::hint::cold_path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Instant;
use tokio::sync::{Notify, watch};

/// Everything between the end of a span and the exporter.
#[derive(Debug)]
pub(crate) struct Spool {
    buffers: Buffers,
    envelope: Envelope,
    pub(super) signal: Signal,
    pub(super) limits: Queue,
    /// Pokes the exporter: a chunk waits, or something below has changed.
    pub(super) wake: Notify,
    /// How many flushes were asked for.
    flushes_asked: AtomicU64,
    /// How many of them are done; the maximum once the exporter has ended.
    flushes_done: watch::Sender<u64>,
    /// When the exporter has to end.
    stop_at: Mutex<Option<Instant>>,
    /// What the exporter writes, once there is one.
    journal: OnceLock<Arc<Journal>>,
}

thread_local! {
    static BUFFERS: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
}

/// A thread's buffer for one spool.
struct Slot {
    spool: Weak<Spool>,
    buffer: Shared,
}

impl Spool {
    /// `resource` is field 1 of `ResourceSpans`, or of `ResourceLogs`.
    pub(crate) fn new(
        signal: Signal,
        limits: Queue,
        resource: &[u8],
        schema_url: &str,
    ) -> Arc<Spool> {
        Arc::new(Spool {
            buffers: Buffers::new(limits),
            envelope: Envelope::new(resource, schema_url.as_bytes()),
            signal,
            limits,
            wake: Notify::new(),
            flushes_asked: AtomicU64::new(0),
            flushes_done: watch::Sender::new(0),
            stop_at: Mutex::default(),
            journal: OnceLock::new(),
        })
    }

    /// Writes one span of `scope` (field 1 of `ScopeSpans`) into this thread's buffer.
    pub(crate) fn push(self: &Arc<Self>, scope: &Arc<[u8]>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut write = Some(write);
        let pushed = BUFFERS.try_with(|slots| {
            let Ok(mut slots) = slots.try_borrow_mut() else {
                return;
            };
            let known = slots
                .iter()
                .position(|slot| std::ptr::eq(slot.spool.as_ptr(), Arc::as_ptr(self)));
            let index = known.unwrap_or_else(|| self.join(&mut slots));
            if let Some(write) = write.take() {
                self.push_to(&slots[index].buffer, scope, write);
            }
        });
        // A thread that is going away, or a span that ends while another is written.
        if let (_, Some(write)) = (pushed, write.take()) {
            cold_path();
            self.push_to(&self.new_buffer(), scope, write);
        }
    }

    /// Where the thread's buffer is, made now.
    #[cold]
    fn join(self: &Arc<Self>, slots: &mut Vec<Slot>) -> usize {
        slots.retain(|slot| slot.spool.strong_count() > 0);
        slots.push(Slot {
            spool: Arc::downgrade(self),
            buffer: self.new_buffer(),
        });
        slots.len() - 1
    }

    fn new_buffer(&self) -> Shared {
        self.buffers.add()
    }

    fn push_to(&self, buffer: &Mutex<Buffer>, scope: &Arc<[u8]>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.buffers.push(buffer, scope, write) {
            self.wake.notify_one();
        }
    }

    pub(super) fn seal_all(&self) {
        self.buffers.seal_all();
    }

    pub(super) fn take(&self) -> Option<Vec<u8>> {
        self.buffers.take(&self.envelope)
    }

    pub(super) fn settle(&self, outcome: Outcome) {
        self.buffers.settle(outcome);
    }

    /// What became of every span: one consistent snapshot.
    pub(crate) fn counts(&self) -> SpanCounts {
        self.buffers.flow().counts
    }

    pub(crate) fn report(&self) -> Report {
        let flow = self.buffers.flow();
        Report {
            signal: self.signal,
            tally: flow.tally.clone(),
            queue: Some(flow),
            journal: self.journal.get().cloned(),
        }
    }

    pub(super) fn keep_journal(&self, journal: Arc<Journal>) {
        // There is one exporter.
        let _ = self.journal.set(journal);
    }

    /// Takes no more spans; the exporter sends what waits until `deadline`, then ends. Of several
    /// deadlines the first counts.
    pub(crate) fn close(&self, deadline: Instant) {
        self.buffers.close();
        let mut stop_at = lock(&self.stop_at);
        *stop_at = Some(stop_at.map_or(deadline, |before| before.min(deadline)));
        drop(stop_at);
        self.wake.notify_one();
    }

    /// Books what still waits as lost.
    pub(crate) fn give_up(&self) {
        self.buffers.give_up();
    }

    pub(super) fn stop_at(&self) -> Option<Instant> {
        *lock(&self.stop_at)
    }

    pub(super) fn flushes_asked(&self) -> u64 {
        self.flushes_asked.load(Ordering::Acquire)
    }

    /// Somebody waits for a flush.
    pub(super) fn flush_waits(&self) -> bool {
        self.flushes_asked() > *self.flushes_done.borrow()
    }

    pub(super) fn answer_flushes(&self, asked: u64) {
        self.flushes_done.send_if_modified(|done| {
            let newer = asked > *done;
            *done = asked.max(*done);
            newer
        });
    }

    /// Sends everything that waits now. Done when it is delivered, or after one failed attempt.
    pub(crate) async fn flush(&self) {
        let mut done = self.flushes_done.subscribe();
        let asked = self.flushes_asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.wake.notify_one();
        // The sender lives in self.
        let _ = done.wait_for(|done| *done >= asked).await;
    }

    /// The exporter has ended.
    pub(crate) async fn ended(&self) {
        let _ = self
            .flushes_done
            .subscribe()
            .wait_for(|done| *done == u64::MAX)
            .await;
    }

    /// Delivers what waits into memory.
    pub(crate) fn deliver_to(&self, deliveries: &Deliveries) {
        let _turn = deliveries.turn();
        self.seal_all();
        while let Some(request) = self.take() {
            deliveries.deliver(request);
            self.settle(Outcome::Exported { rejected: 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::scope;
    use crate::counts::DropReason;
    use crate::span::proto;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;
    use std::time::Duration;

    fn named(name: &str) -> impl FnOnce(&mut Vec<u8>) {
        move |out: &mut Vec<u8>| proto::bytes(out, 0x2a, name.as_bytes())
    }

    #[test]
    fn runs_of_one_scope_share_a_message() {
        let spool = Spool::new(Signal::Traces, Queue::default(), &[], "");
        let (ours, theirs) = (scope("ours", "1"), scope("theirs", ""));
        for (scope, name) in [(&ours, "a"), (&ours, "b"), (&theirs, "c"), (&ours, "d")] {
            spool.push(scope, named(name));
        }
        spool.seal_all();
        let request = ExportTraceServiceRequest::decode(&*spool.take().unwrap()).unwrap();
        let runs: Vec<_> = request.resource_spans[0]
            .scope_spans
            .iter()
            .map(|run| {
                let names: Vec<_> = run.spans.iter().map(|span| span.name.as_str()).collect();
                (run.scope.as_ref().unwrap().name.as_str(), names.concat())
            })
            .collect();
        let expected = [("ours", "ab"), ("theirs", "c"), ("ours", "d")];
        assert_eq!(
            runs,
            expected.map(|(scope, names)| (scope, names.to_owned()))
        );
    }

    #[test]
    fn a_span_beyond_two_mebibytes_is_dropped_alone() {
        let spool = Spool::new(Signal::Traces, Queue::default(), &[], "");
        let scope = scope("ours", "");
        spool.push(&scope, named("a"));
        spool.push(&scope, |out| out.resize(out.len() + (1 << 21), 0));
        spool.push(&scope, named("b"));
        let counts = spool.counts();
        assert_eq!(counts.dropped_for(DropReason::TooLarge), 1);
        assert_eq!((counts.produced, counts.queued), (3, 2));
        spool.seal_all();
        let request = ExportTraceServiceRequest::decode(&*spool.take().unwrap()).unwrap();
        assert_eq!(request.resource_spans[0].scope_spans[0].spans.len(), 2);
    }

    #[test]
    fn what_an_ended_thread_wrote_is_kept_and_its_buffer_is_not() {
        let spool = Spool::new(Signal::Traces, Queue::default(), &[], "");
        for _ in 0..20 {
            let spool = Arc::clone(&spool);
            let writer = std::thread::spawn(move || spool.push(&scope("ours", ""), named("a")));
            writer.join().unwrap();
        }
        spool.seal_all();
        assert_eq!((spool.counts().produced, spool.counts().queued), (20, 20));
        assert_eq!(spool.buffers.threads(), 0);
    }

    #[test]
    fn nothing_slips_in_behind_a_close() {
        let spool = Spool::new(Signal::Traces, Queue::default(), &[], "");
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let spool = Arc::clone(&spool);
                let scope = scope("ours", "");
                std::thread::spawn(move || {
                    for _ in 0..5_000 {
                        spool.push(&scope, named("a"));
                    }
                })
            })
            .collect();
        spool.close(Instant::now() + Duration::from_secs(1));
        spool.give_up();
        let counts = spool.counts();
        assert_eq!((counts.queued, counts.queued_bytes), (0, 0));
        assert_eq!(counts.produced, counts.dropped());
        for writer in writers {
            writer.join().unwrap();
        }
        let counts = spool.counts();
        assert_eq!(
            (counts.produced, counts.dropped(), counts.queued),
            (20_000, 20_000, 0)
        );
    }
}

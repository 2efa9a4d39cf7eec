//! Where spans wait: a buffer for each thread, then the queue. Log records may wait in one of
//! their own: `ScopeLogs` has its fields at the same numbers as `ScopeSpans`.
//!
//! Locks are taken in one order only: list of buffers, a buffer, the ledger.

use super::batch::Envelope;
use super::collector::Deliveries;
use super::ledger::{Chunk, Ledger, Outcome};
use super::signal::Signal;
use crate::counts::{DropReason, SpanCounts};
use crate::settings::Queue;
use crate::span::proto;
use crate::sync::lock;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;
use tokio::sync::{Notify, watch};

/// A buffer that has reached this size goes into the queue.
const CHUNK: usize = 32 * 1024;
/// Bytes of a padded `ScopeSpans` length.
const SCOPE_LEN: usize = 4;
/// Bytes of a padded `Span` length; so a span has at most 2 MiB.
const SPAN_LEN: usize = 3;

/// Everything between the end of a span and the exporter.
#[derive(Debug)]
pub(crate) struct Spool {
    buffers: Mutex<Vec<Arc<Mutex<Buffer>>>>,
    ledger: Mutex<Ledger>,
    envelope: Envelope,
    pub(super) signal: Signal,
    /// No span is taken in any more. Written before the buffers are sealed for the last time and
    /// read under each buffer's lock, so that no span slips in behind.
    closed: AtomicBool,
    max_chunk_spans: u64,
    pub(super) limits: Queue,
    /// Pokes the exporter: a chunk waits, or something below has changed.
    pub(super) wake: Notify,
    /// How many flushes were asked for.
    flushes_asked: AtomicU64,
    /// How many of them are done; the maximum once the exporter has ended.
    pub(super) flushes_done: watch::Sender<u64>,
    /// When the exporter has to end.
    stop_at: Mutex<Option<Instant>>,
}

/// What one thread has written and not yet handed over: a run of `ScopeSpans`, the last one open.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    spans: u64,
    produced: u64,
    /// Where the open `ScopeSpans` begins, and its scope.
    open: Option<(usize, Arc<[u8]>)>,
}

thread_local! {
    static BUFFERS: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
}

/// A thread's buffer for one spool.
struct Slot {
    spool: Weak<Spool>,
    buffer: Arc<Mutex<Buffer>>,
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
            buffers: Mutex::default(),
            ledger: Mutex::new(Ledger::new(limits)),
            envelope: Envelope::new(resource, schema_url.as_bytes()),
            signal,
            closed: AtomicBool::new(false),
            max_chunk_spans: limits.max_batch_records,
            limits,
            wake: Notify::new(),
            flushes_asked: AtomicU64::new(0),
            flushes_done: watch::Sender::new(0),
            stop_at: Mutex::default(),
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
            let index = known.unwrap_or_else(|| {
                slots.retain(|slot| slot.spool.strong_count() > 0);
                slots.push(Slot {
                    spool: Arc::downgrade(self),
                    buffer: self.new_buffer(),
                });
                slots.len() - 1
            });
            if let Some(write) = write.take() {
                self.push_to(&slots[index].buffer, scope, write);
            }
        });
        // A thread that is going away, or a span that ends while another is written.
        if let (_, Some(write)) = (pushed, write.take()) {
            self.push_to(&self.new_buffer(), scope, write);
        }
    }

    fn new_buffer(&self) -> Arc<Mutex<Buffer>> {
        let buffer = Arc::new(Mutex::new(Buffer::default()));
        lock(&self.buffers).push(Arc::clone(&buffer));
        buffer
    }

    fn push_to(&self, buffer: &Mutex<Buffer>, scope: &Arc<[u8]>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut buffer = lock(buffer);
        buffer.produced += 1;
        if self.closed.load(Ordering::Acquire) {
            lock(&self.ledger).drop_spans(DropReason::Shutdown, 1);
            return;
        }
        buffer.open(scope);
        if proto::message::<SPAN_LEN>(&mut buffer.bytes, 0x12, write).is_none() {
            lock(&self.ledger).drop_spans(DropReason::TooLarge, 1);
            return;
        }
        buffer.spans += 1;
        if buffer.bytes.len() >= CHUNK || buffer.spans >= self.max_chunk_spans {
            self.seal(&mut buffer);
            drop(buffer);
            self.wake.notify_one();
        }
    }

    fn seal(&self, buffer: &mut Buffer) {
        buffer.close();
        let bytes = std::mem::take(&mut buffer.bytes);
        let spans = std::mem::take(&mut buffer.spans);
        if spans == 0 {
            buffer.bytes = bytes;
            buffer.bytes.clear();
            return;
        }
        buffer.bytes = lock(&self.ledger).push(Chunk { bytes, spans });
    }

    /// Moves what every thread holds into the queue, and forgets threads that have ended.
    pub(super) fn seal_all(&self) {
        lock(&self.buffers).retain(|shared| {
            let mut buffer = lock(shared);
            self.seal(&mut buffer);
            // Nobody can come by another handle: they are made only together with the list's.
            let alive = Arc::strong_count(shared) > 1;
            if !alive {
                lock(&self.ledger).retire(buffer.produced);
            }
            alive
        });
    }

    pub(super) fn take(&self) -> Option<Vec<u8>> {
        lock(&self.ledger).take(&self.envelope)
    }

    pub(super) fn settle(&self, outcome: Outcome) {
        lock(&self.ledger).settle(outcome);
    }

    /// One consistent snapshot: no span changes its place while it is taken.
    pub(crate) fn counts(&self) -> SpanCounts {
        let buffers = lock(&self.buffers);
        let held: Vec<_> = buffers.iter().map(|buffer| lock(buffer)).collect();
        let produced = held.iter().map(|buffer| buffer.produced).sum();
        let waiting = held.iter().map(|buffer| buffer.spans).sum();
        lock(&self.ledger).counts(produced, waiting)
    }

    /// Takes no more spans; the exporter sends what waits until `deadline`, then ends.
    pub(crate) fn close(&self, deadline: Instant) {
        self.closed.store(true, Ordering::Release);
        self.seal_all();
        *lock(&self.stop_at) = Some(deadline);
        self.wake.notify_one();
    }

    /// Books what still waits as lost.
    pub(crate) fn give_up(&self) {
        lock(&self.ledger).give_up();
    }

    pub(super) fn stop_at(&self) -> Option<Instant> {
        *lock(&self.stop_at)
    }

    pub(super) fn flushes_asked(&self) -> u64 {
        self.flushes_asked.load(Ordering::Acquire)
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
        self.seal_all();
        let mut ledger = lock(&self.ledger);
        while let Some(request) = ledger.take(&self.envelope) {
            deliveries.deliver(request);
            ledger.settle(Outcome::Exported { rejected: 0 });
        }
    }
}

impl Buffer {
    /// Makes `scope` the one that the next span belongs to.
    fn open(&mut self, scope: &Arc<[u8]>) {
        if let Some((_, open)) = &self.open
            && (Arc::ptr_eq(open, scope) || open == scope)
        {
            return;
        }
        self.close();
        let start = self.bytes.len();
        self.bytes.push(0x12);
        self.bytes.extend_from_slice(&[0; SCOPE_LEN]);
        self.bytes.extend_from_slice(scope);
        self.open = Some((start, Arc::clone(scope)));
    }

    fn close(&mut self) {
        if let Some((start, _)) = self.open.take() {
            let at = start + 1;
            let len = self.bytes.len() - at - SCOPE_LEN;
            proto::patch(&mut self.bytes[at..at + SCOPE_LEN], len);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::scope;
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
        assert!(lock(&spool.buffers).is_empty());
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

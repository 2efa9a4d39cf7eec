//! Where spans wait: a buffer for each thread, then the ledger's queue.
//!
//! Locks are taken in one order only: list of buffers, a buffer, the ledger. None is held for
//! longer than it takes to move a few pointers, or to copy what is less than half a chunk; what
//! takes longer, such as writing a request, is done between two of them.

use super::batch::Envelope;
use super::ledger::{CHUNK_CAPACITY, Chunk, Flow, Ledger, Outcome};
use super::sync::{AtomicBool, Handle, Mutex, Ordering, lock};
use crate::counts::DropReason;
use crate::settings::Queue;
use crate::span::proto;
use std::sync::Arc;

/// A buffer that has reached this size goes into the queue.
pub(super) const CHUNK: usize = 32 * 1024;
/// Bytes of a padded `ScopeSpans` length.
const SCOPE_LEN: usize = 4;
/// Bytes of a padded `Span` length; so a span has at most 2 MiB.
const SPAN_LEN: usize = 3;

/// One thread's buffer, shared with whoever empties it.
pub(super) type Shared = Handle<Mutex<Buffer>>;

/// Every thread's buffer, and the book.
#[derive(Debug)]
pub(super) struct Buffers {
    list: Mutex<Vec<Shared>>,
    ledger: Mutex<Ledger>,
    /// No span is taken in any more. Written before the buffers are sealed for the last time and
    /// read under each buffer's lock, so that no span slips in behind.
    closed: AtomicBool,
    max_chunk_spans: u64,
}

/// What one thread has written and not yet handed over: a run of `ScopeSpans`, the last one open.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    spans: u64,
    produced: u64,
    /// Where the open `ScopeSpans` begins, and its scope.
    open: Option<(usize, Arc<[u8]>)>,
}

impl Buffers {
    pub(super) fn new(limits: Queue) -> Buffers {
        Buffers {
            list: Mutex::new(Vec::new()),
            ledger: Mutex::new(Ledger::new(limits)),
            closed: AtomicBool::new(false),
            max_chunk_spans: limits.max_batch_records,
        }
    }

    /// A buffer for one more thread.
    pub(super) fn add(&self) -> Shared {
        let buffer = Handle::new(Mutex::new(Buffer::default()));
        let mut list = lock(&self.list);
        list.push(Handle::clone(&buffer));
        lock(&self.ledger).threads(list.len());
        buffer
    }

    /// Writes one span of `scope` into a buffer. True if enough waits now to be sent: to wake the
    /// exporter costs more than many spans.
    pub(super) fn push(
        &self,
        buffer: &Mutex<Buffer>,
        scope: &Arc<[u8]>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let mut buffer = lock(buffer);
        buffer.produced += 1;
        if self.closed.load(Ordering::Acquire) {
            return self.lose(DropReason::Shutdown);
        }
        buffer.open(scope);
        if proto::message::<SPAN_LEN>(&mut buffer.bytes, 0x12, write).is_none() {
            return self.lose(DropReason::TooLarge);
        }
        buffer.spans += 1;
        let full = buffer.bytes.len() >= CHUNK || buffer.spans >= self.max_chunk_spans;
        full && self.seal(&mut buffer)
    }

    /// Books one span as dropped: nothing waits with it.
    #[cold]
    fn lose(&self, reason: DropReason) -> bool {
        lock(&self.ledger).drop_spans(reason, 1);
        false
    }

    /// Hands a buffer's spans over. True if with them enough waits.
    #[inline(never)]
    fn seal(&self, buffer: &mut Buffer) -> bool {
        buffer.close();
        let spans = std::mem::take(&mut buffer.spans);
        if spans == 0 {
            buffer.bytes.clear();
            return false;
        }
        // A chunk that is small for its buffer would take more memory than it counts for.
        if buffer.bytes.len() < buffer.bytes.capacity() / 2 {
            let bytes = buffer.bytes.as_slice().to_vec();
            buffer.bytes.clear();
            buffer.bytes.shrink_to(CHUNK_CAPACITY);
            let (_, due) = self.queue(Chunk { bytes, spans });
            return due;
        }
        let bytes = std::mem::take(&mut buffer.bytes);
        let (emptied, due) = self.queue(Chunk { bytes, spans });
        buffer.bytes = emptied.unwrap_or_else(|| Vec::with_capacity(CHUNK_CAPACITY));
        due
    }

    fn queue(&self, chunk: Chunk) -> (Option<Vec<u8>>, bool) {
        let mut ledger = lock(&self.ledger);
        let was_due = ledger.is_due();
        let emptied = ledger.push(chunk);
        (emptied, !was_due && ledger.is_due())
    }

    /// Moves what every thread holds into the queue, and forgets threads that have ended.
    pub(super) fn seal_all(&self) {
        let mut list = lock(&self.list);
        list.retain(|shared| {
            let mut buffer = lock(shared);
            self.seal(&mut buffer);
            // Nobody can come by another handle: they are made only together with the list's.
            let alive = Handle::strong_count(shared) > 1;
            if !alive {
                lock(&self.ledger).retire(buffer.produced);
            }
            alive
        });
        lock(&self.ledger).threads(list.len());
    }

    /// Takes no more spans.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.seal_all();
    }

    /// The next `Export…ServiceRequest`, if something waits. At most one is under way.
    pub(super) fn take(&self, envelope: &Envelope) -> Option<Vec<u8>> {
        let mut chunks = lock(&self.ledger).take()?;
        let request = envelope.wrap(&chunks);
        lock(&self.ledger).recycle(&mut chunks);
        Some(request)
    }

    /// Books the request that was taken last.
    pub(super) fn settle(&self, outcome: Outcome) {
        lock(&self.ledger).settle(outcome);
    }

    /// Books what still waits as lost.
    pub(super) fn give_up(&self) {
        let chunks = lock(&self.ledger).give_up();
        drop(chunks);
    }

    /// One consistent snapshot: no span changes its place while it is taken.
    pub(super) fn flow(&self) -> Flow {
        let list = lock(&self.list);
        let held: Vec<_> = list.iter().map(|buffer| lock(buffer)).collect();
        let produced = held.iter().map(|buffer| buffer.produced).sum();
        let waiting = held.iter().map(|buffer| buffer.spans).sum();
        lock(&self.ledger).flow(produced, waiting)
    }

    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        lock(&self.list).len()
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

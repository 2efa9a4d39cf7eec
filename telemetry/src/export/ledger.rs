//! The queue between the threads that end spans and the one that sends them, and the book of what
//! became of each span.

use super::buffers::CHUNK;
use super::journal::ErrorType;
use super::tally::Tally;
use crate::counts::{DropReason, SpanCounts};
use crate::settings::Queue;
use std::collections::VecDeque;

/// What a thread's buffer has room for: a chunk, and the span that makes it one.
pub(super) const CHUNK_CAPACITY: usize = CHUNK + 4 * 1024;
/// Emptied buffers kept for reuse.
const SPARE: usize = 16;
/// A larger buffer is given back to the allocator instead.
const SPARE_BYTES: usize = 2 * CHUNK_CAPACITY;
/// OTLP receivers commonly refuse more than 4 MiB.
const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;

/// A run of `ScopeSpans` fields.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) spans: u64,
}

/// Bytes and spans of the one request that is under way.
#[derive(Debug, Clone, Copy, Default)]
struct InFlight {
    bytes: usize,
    spans: u64,
}

/// What happened to a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Delivered; the collector may have refused some of its spans.
    Exported { rejected: u64 },
    Dropped {
        reason: DropReason,
        error: ErrorType,
    },
}

/// One snapshot of what went where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) counts: SpanCounts,
    pub(crate) tally: Tally,
    pub(crate) limits: Queue,
}

impl Flow {
    /// Lost for this reason without having been handed to the exporter.
    pub(crate) fn lost_before_export(&self, reason: DropReason) -> u64 {
        let lost = self.counts.dropped_for(reason);
        match reason {
            DropReason::QueueFull | DropReason::TooLarge => lost,
            DropReason::Rejected | DropReason::RetriesExhausted => 0,
            // The rest of it was in the request that was under way.
            DropReason::Shutdown => {
                let failed: u64 = self.tally.failed.iter().map(|(_, spans)| spans).sum();
                let elsewhere = failed
                    - self.counts.dropped_for(DropReason::Rejected)
                    - self.counts.dropped_for(DropReason::RetriesExhausted);
                lost - elsewhere
            }
        }
    }

    /// Not handed to the exporter yet.
    pub(crate) fn waiting(&self) -> u64 {
        self.counts.queued - self.tally.in_flight
    }
}

#[derive(Debug)]
pub(super) struct Ledger {
    queue: VecDeque<Chunk>,
    /// Memory of the queue, not only what is written in it.
    queued_bytes: usize,
    queued_spans: u64,
    in_flight: Option<InFlight>,
    /// Of the exporter.
    tally: Tally,
    dropped: [u64; DropReason::ALL.len()],
    /// Produced by threads that have ended.
    retired: u64,
    /// Threads with a buffer.
    threads: usize,
    spare: Vec<Vec<u8>>,
    limits: Queue,
}

impl Ledger {
    pub(super) fn new(limits: Queue) -> Ledger {
        Ledger {
            queue: VecDeque::new(),
            queued_bytes: 0,
            queued_spans: 0,
            in_flight: None,
            tally: Tally::default(),
            dropped: [0; DropReason::ALL.len()],
            retired: 0,
            threads: 0,
            spare: Vec::with_capacity(SPARE),
            limits,
        }
    }

    /// Takes a chunk in, or drops it when there is no room: what waits is older and stays. Gives
    /// an empty buffer in exchange, if there is one.
    pub(super) fn push(&mut self, chunk: Chunk) -> Option<Vec<u8>> {
        let (bytes_waiting, spans_waiting) = self.waiting();
        let bytes = chunk.bytes.capacity();
        let full = bytes_waiting + bytes + self.overhead() > self.limits.max_bytes
            || self
                .limits
                .max_records
                .is_some_and(|max| spans_waiting + chunk.spans > max);
        if full {
            self.drop_spans(DropReason::QueueFull, chunk.spans);
            let mut bytes = chunk.bytes;
            bytes.clear();
            return Some(bytes);
        }
        self.queued_bytes += bytes;
        self.queued_spans += chunk.spans;
        self.queue.push_back(chunk);
        self.spare.pop()
    }

    /// Enough waits to be worth a request, or so much that there may soon be no room.
    pub(super) fn is_due(&self) -> bool {
        let Queue {
            max_bytes,
            max_records,
            max_batch_records,
            ..
        } = self.limits;
        self.queued_spans >= max_batch_records
            || self.queued_bytes >= MAX_BATCH_BYTES.min(max_bytes / 4)
            || max_records.is_some_and(|max| self.queued_spans >= max / 2)
    }

    /// Memory beside the queue: what the threads write into, and what waits to be written into.
    /// With many threads and a small bound it would leave no room for any span at all, and counts
    /// for a half at most.
    fn overhead(&self) -> usize {
        let standing = (self.threads + self.spare.len()) * CHUNK_CAPACITY;
        standing.min(self.limits.max_bytes / 2)
    }

    /// As many whole chunks as fit into one request, which is then under way.
    pub(super) fn take(&mut self) -> Option<Vec<Chunk>> {
        debug_assert!(
            self.in_flight.is_none(),
            "the previous batch is not settled"
        );
        let (mut bytes, mut memory, mut spans, mut count) = (0, 0, 0, 0);
        for chunk in &self.queue {
            let fits = spans + chunk.spans <= self.limits.max_batch_records
                && bytes + chunk.bytes.len() <= MAX_BATCH_BYTES;
            if count > 0 && !fits {
                break;
            }
            bytes += chunk.bytes.len();
            memory += chunk.bytes.capacity();
            spans += chunk.spans;
            count += 1;
        }
        if count == 0 {
            return None;
        }
        self.queued_bytes -= memory;
        self.queued_spans -= spans;
        self.tally.begin(spans);
        self.in_flight = Some(InFlight { bytes, spans });
        Some(self.queue.drain(..count).collect())
    }

    /// Keeps buffers of chunks that were taken; the others are left to be freed without the lock.
    pub(super) fn recycle(&mut self, chunks: &mut Vec<Chunk>) {
        while self.spare.len() < SPARE
            && let Some(Chunk { mut bytes, .. }) = chunks.pop()
        {
            if (CHUNK..=SPARE_BYTES).contains(&bytes.capacity()) {
                bytes.clear();
                self.spare.push(bytes);
            }
        }
    }

    /// Books the batch that was taken last. One that was given up meanwhile is booked already.
    pub(super) fn settle(&mut self, outcome: Outcome) {
        let Some(in_flight) = self.in_flight.take() else {
            return;
        };
        let (reason, error, lost) = match outcome {
            Outcome::Exported { rejected } => {
                let reason = DropReason::Rejected;
                (
                    reason,
                    reason.as_str().into(),
                    rejected.min(in_flight.spans),
                )
            }
            Outcome::Dropped { reason, error } => (reason, error, in_flight.spans),
        };
        self.tally.end(error, lost);
        self.drop_spans(reason, lost);
    }

    /// Books everything that still waits, or is under way, as lost in the shutdown. The queue is
    /// left to be freed without the lock.
    pub(super) fn give_up(&mut self) -> VecDeque<Chunk> {
        self.settle(Outcome::Dropped {
            reason: DropReason::Shutdown,
            error: "shutdown".into(),
        });
        self.drop_spans(DropReason::Shutdown, self.queued_spans);
        self.queued_bytes = 0;
        self.queued_spans = 0;
        self.spare.clear();
        std::mem::take(&mut self.queue)
    }

    pub(super) fn drop_spans(&mut self, reason: DropReason, spans: u64) {
        self.dropped[reason as usize] += spans;
    }

    pub(super) fn retire(&mut self, produced: u64) {
        self.retired += produced;
    }

    /// How many threads have a buffer.
    pub(super) fn threads(&mut self, threads: usize) {
        self.threads = threads;
    }

    /// The counts, given what the threads have produced and still hold.
    pub(super) fn flow(&self, produced: u64, held: u64) -> Flow {
        let (bytes, spans) = self.waiting();
        Flow {
            counts: SpanCounts {
                produced: self.retired + produced,
                exported: self.tally.exported,
                queued: held + spans,
                queued_bytes: bytes as u64,
                dropped: self.dropped,
            },
            tally: self.tally.clone(),
            limits: self.limits,
        }
    }

    fn waiting(&self) -> (usize, u64) {
        let in_flight = self.in_flight.unwrap_or_default();
        (
            self.queued_bytes + in_flight.bytes,
            self.queued_spans + in_flight.spans,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(max_bytes: usize, max_spans: Option<u64>, max_batch_spans: u64) -> Ledger {
        Ledger::new(Queue {
            max_bytes,
            max_records: max_spans,
            max_batch_records: max_batch_spans,
            ..Queue::default()
        })
    }

    fn chunk(bytes: usize, spans: u64) -> Chunk {
        Chunk {
            bytes: vec![0; bytes],
            spans,
        }
    }

    fn check(ledger: &Ledger, produced: u64) -> SpanCounts {
        let counts = ledger.flow(produced, 0).counts;
        assert_eq!(
            counts.produced,
            counts.exported + counts.dropped() + counts.queued
        );
        counts
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let mut ledger = ledger(100, None, 512);
        ledger.push(chunk(60, 3));
        ledger.push(chunk(60, 4));
        ledger.push(chunk(40, 2));
        let counts = check(&ledger, 9);
        assert_eq!(counts.dropped_for(DropReason::QueueFull), 4);
        assert_eq!((counts.queued, counts.queued_bytes), (5, 100));
    }

    #[test]
    fn a_request_under_way_still_takes_room() {
        let mut ledger = ledger(100, None, 512);
        ledger.push(chunk(60, 3));
        ledger.take().unwrap();
        ledger.push(chunk(60, 4));
        assert_eq!(check(&ledger, 7).dropped(), 4);
        ledger.settle(Outcome::Exported { rejected: 1 });
        let counts = check(&ledger, 7);
        assert_eq!(
            (counts.exported, counts.dropped(), counts.queued_bytes),
            (2, 5, 0)
        );
    }

    #[test]
    fn spans_can_be_bounded_too() {
        let mut ledger = ledger(1000, Some(5), 512);
        ledger.push(chunk(1, 3));
        ledger.push(chunk(1, 3));
        ledger.push(chunk(1, 2));
        assert_eq!(check(&ledger, 8).queued, 5);
    }

    #[test]
    fn batches_hold_whole_chunks_up_to_their_bound() {
        let mut ledger = ledger(1000, None, 5);
        for spans in [2, 3, 1, 9] {
            ledger.push(chunk(1, spans));
        }
        let mut sizes = Vec::new();
        while ledger.take().is_some() {
            let before = ledger.tally.exported;
            ledger.settle(Outcome::Exported { rejected: 0 });
            sizes.push(ledger.tally.exported - before);
        }
        assert_eq!(sizes, [5, 1, 9]);
        assert_eq!(check(&ledger, 15).exported, 15);
    }

    #[test]
    fn giving_up_books_everything_once() {
        let mut ledger = ledger(1000, None, 2);
        ledger.push(chunk(1, 2));
        ledger.push(chunk(1, 2));
        ledger.take().unwrap();
        ledger.give_up();
        ledger.settle(Outcome::Exported { rejected: 0 });
        assert_eq!(check(&ledger, 4).dropped_for(DropReason::Shutdown), 4);
    }

    /// Random pushes, requests and outcomes against a plain sum.
    #[test]
    fn whatever_happens_the_book_is_balanced() {
        let mut random = 7_u64;
        let mut below = |bound: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % bound
        };
        for _ in 0..50 {
            let mut ledger = ledger(200 + below(400) as usize, Some(40), 1 + below(20));
            let (mut produced, mut in_flight) = (0, false);
            for _ in 0..400 {
                match below(5) {
                    0 | 1 => {
                        let spans = 1 + below(9);
                        produced += spans;
                        ledger.push(chunk(1 + below(90) as usize, spans));
                    }
                    2 if !in_flight => in_flight = ledger.take().is_some(),
                    3 => {
                        ledger.settle(Outcome::Exported { rejected: below(4) });
                        in_flight = false;
                    }
                    4 if below(20) == 0 => {
                        ledger.give_up();
                        in_flight = false;
                    }
                    _ => {}
                }
                let counts = check(&ledger, produced);
                assert!(
                    counts.queued <= 40 && counts.queued_bytes <= 600,
                    "{counts:?}"
                );
            }
            ledger.give_up();
            assert_eq!(check(&ledger, produced).queued, 0);
        }
    }
}

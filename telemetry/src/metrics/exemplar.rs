//! One exemplar that one thread writes and any thread reads, without a lock.
//!
//! A sequence lock over atomics: the writer makes the sequence odd, writes the
//! words, makes it even again; a reader that saw the same even number before and
//! after its loads has words of one write. All words are atomics, so a torn read
//! is a value to throw away, never undefined behaviour.
//!
//! Orderings (Boehm, "Can seqlocks get along with programming language memory
//! models?", 2012): the release fence keeps the odd number ahead of the words, the
//! release store keeps the words ahead of the even number; the reader's acquire load
//! and acquire fence mirror them. The model test below runs this very file under
//! loom.

use super::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// A measurement and the sampled span in which it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    /// Seconds.
    pub(crate) value: f64,
    /// Nanoseconds since the Unix epoch.
    pub(crate) at_nanos: u64,
}

/// Tries of a reader before it goes without. A writer is inside for a few
/// nanoseconds, so this is reached only when its thread was put aside right there.
const READ_TRIES: usize = 8;

/// Room for one exemplar; empty until the first write.
#[derive(Debug)]
pub(crate) struct ExemplarCell {
    sequence: AtomicU32,
    words: [AtomicU64; 5],
}

impl Default for ExemplarCell {
    fn default() -> Self {
        Self {
            sequence: AtomicU32::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl ExemplarCell {
    /// Replaces the exemplar. Only one thread may ever call this on one cell.
    pub(super) fn write(&self, exemplar: &Exemplar) {
        let before = self.sequence.load(Ordering::Relaxed);
        self.sequence
            .store(before.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        let words = [
            (exemplar.trace_id >> 64) as u64,
            exemplar.trace_id as u64,
            exemplar.span_id,
            exemplar.value.to_bits(),
            exemplar.at_nanos,
        ];
        for (room, word) in self.words.iter().zip(words) {
            room.store(word, Ordering::Relaxed);
        }
        self.sequence
            .store(before.wrapping_add(2), Ordering::Release);
    }

    /// The last exemplar that was completely written, if there is one.
    pub(super) fn read(&self) -> Option<Exemplar> {
        for _ in 0..READ_TRIES {
            let before = self.sequence.load(Ordering::Acquire);
            if before == 0 {
                return None;
            }
            if before % 2 == 1 {
                continue;
            }
            let [high, low, span_id, value, at_nanos] =
                std::array::from_fn(|i| self.words[i].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if self.sequence.load(Ordering::Relaxed) == before {
                return Some(Exemplar {
                    trace_id: u128::from(high) << 64 | u128::from(low),
                    span_id,
                    value: f64::from_bits(value),
                    at_nanos,
                });
            }
        }
        None
    }
}

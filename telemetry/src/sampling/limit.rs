//! At most so many traces a second.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A token bucket in one word, without a lock: the generic cell rate algorithm.
///
/// It holds the tokens of one second, so that many traces may begin at once; over time no more
/// begin than its rate allows.
#[derive(Debug)]
pub(super) struct Bucket {
    start: Instant,
    /// Nanoseconds between two tokens.
    interval: u64,
    /// Nanoseconds that the next token may lie ahead.
    tolerance: u64,
    /// When the bucket would be full, in nanoseconds since the start.
    full: AtomicU64,
}

impl Bucket {
    pub(super) fn new(traces_per_second: NonZeroU32) -> Bucket {
        let interval = 1_000_000_000_u64.div_ceil(u64::from(traces_per_second.get()));
        Bucket {
            start: Instant::now(),
            interval,
            tolerance: interval * (u64::from(traces_per_second.get()) - 1),
            full: AtomicU64::new(0),
        }
    }

    /// Whether there was a token.
    pub(super) fn take(&self) -> bool {
        let now = self.start.elapsed().as_nanos();
        self.take_at(u64::try_from(now).unwrap_or(u64::MAX / 2))
    }

    /// The word is all there is, so no ordering with anything else is needed.
    fn take_at(&self, now: u64) -> bool {
        let taken = self
            .full
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| {
                let from = full.max(now);
                (from - now <= self.tolerance).then(|| from + self.interval)
            });
        taken.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn bucket(rate: u32) -> Bucket {
        Bucket::new(NonZeroU32::new(rate).unwrap())
    }

    #[test]
    fn a_second_s_tokens_may_go_at_once_and_then_they_come_back_one_by_one() {
        let bucket = bucket(10);
        let at = |now| (0..100).filter(|_| bucket.take_at(now)).count();
        assert_eq!(at(0), 10);
        assert_eq!(at(SECOND / 10 - 1), 0);
        assert_eq!(at(SECOND / 10), 1);
        assert_eq!(at(SECOND / 2), 4);
        assert_eq!(at(100 * SECOND), 10, "never more than a second's");
    }

    /// In whatever pattern they are asked for, no more tokens come than the rate allows.
    #[test]
    fn no_more_than_the_rate() {
        let mut seed = 7_u64;
        for rate in [1, 3, 100, 12_345] {
            let bucket = bucket(rate);
            let (mut now, mut taken) = (0, 0_u64);
            for _ in 0..50_000 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                now += (seed >> 33) % (SECOND / u64::from(rate));
                taken += u64::from(bucket.take_at(now));
                let allowed = u64::from(rate) + now * u64::from(rate) / SECOND;
                assert!(taken <= allowed, "{taken} of {allowed} at {rate} a second");
            }
            assert!(taken > u64::from(rate), "tokens come back");
        }
    }

    #[test]
    fn threads_share_its_tokens() {
        let bucket = bucket(1000);
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..1000).filter(|_| bucket.take_at(0)).count()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(taken, 1000);
    }
}

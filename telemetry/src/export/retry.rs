//! How long to wait before the next attempt.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(15);

/// Doubles from a quarter of a second to 15 s. Each wait is a random part, at least half, of the
/// step, so that services which lost their collector together do not come back together.
#[derive(Debug)]
pub(super) struct Backoff {
    step: Duration,
    jitter: RandomState,
    attempt: u64,
}

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff {
            step: FIRST,
            jitter: RandomState::new(),
            attempt: 0,
        }
    }

    /// The next wait, not shorter than the collector asked for.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        self.attempt += 1;
        let part = (self.jitter.hash_one(self.attempt) >> 32) as f64 / f64::from(u32::MAX);
        let wait = self.step.mul_f64(0.5 + part / 2.0);
        self.step = (self.step * 2).min(MOST);
        asked.map_or(wait, |asked| asked.max(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        let mut backoff = Backoff::new();
        let mut step = FIRST;
        for _ in 0..20 {
            let wait = backoff.next(None);
            assert!(wait >= step / 2 && wait <= step, "{wait:?} of {step:?}");
            step = (step * 2).min(MOST);
        }
    }

    #[test]
    fn the_collector_may_ask_for_more() {
        let asked = Duration::from_secs(60);
        assert_eq!(Backoff::new().next(Some(asked)), asked);
        assert!(Backoff::new().next(Some(Duration::ZERO)) >= FIRST / 2);
    }
}

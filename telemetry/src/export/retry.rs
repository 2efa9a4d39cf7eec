//! How long to wait before the next attempt.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// A collector may ask for a pause of any length; this is as long as it gets, and as far as instants
/// are sure to go.
pub(super) const MOST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(60);

/// Doubles from a quarter of a second to a minute. Each wait is a random part, at least half, of
/// the step, so that services which lost their collector together do not come back together.
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

    pub(super) fn next(&mut self) -> Duration {
        self.attempt += 1;
        let part = (self.jitter.hash_one(self.attempt) >> 32) as f64 / f64::from(u32::MAX);
        let wait = self.step.mul_f64(0.5 + part / 2.0);
        self.step = (self.step * 2).min(MOST);
        wait
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
            let wait = backoff.next();
            assert!(wait >= step / 2 && wait <= step, "{wait:?} of {step:?}");
            step = (step * 2).min(MOST);
        }
    }
}

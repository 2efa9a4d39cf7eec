//! How long to wait before the next attempt.

use std::time::Duration;

/// Doubles from `first` to `most`; each wait is drawn from the upper half of its step, so that a
/// city whose registry comes back does not fall upon it all at once.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            next: first,
        }
    }

    /// For everything that talks to the registry: it is local and cheap to ask, and a city waits.
    pub(crate) fn registry() -> Self {
        Self::new(Duration::from_millis(50), Duration::from_secs(2))
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    pub(crate) fn next(&mut self) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.most);
        step.mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for step in [100, 200, 350, 350] {
            let wait = backoff.next();
            assert!(
                wait >= Duration::from_millis(step / 2),
                "{wait:?} of {step}"
            );
            assert!(wait <= Duration::from_millis(step), "{wait:?} of {step}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}

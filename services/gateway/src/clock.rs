//! One coarse timer a worker in place of several exact ones a request: the hot path reads a
//! number, and a sweep now and then finds who has taken too long.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Milliseconds, as of the last tick. Nothing that is measured against it ends early; it may end
/// up to two ticks late.
#[derive(Debug)]
pub(crate) struct Clock {
    epoch: Instant,
    now: Cell<u64>,
    tick: Cell<u64>,
}

impl Clock {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            now: Cell::new(0),
            tick: Cell::new(100),
        }
    }

    /// Sets how long a tick is, so that `shortest` is kept to within a quarter.
    pub(crate) fn set_tick(&self, shortest: Duration) {
        self.tick.set((millis(shortest) / 8).clamp(5, 100));
    }

    /// How long a tick is.
    pub(crate) fn tick(&self) -> Duration {
        Duration::from_millis(self.tick.get())
    }

    /// Reads the real clock.
    pub(crate) fn advance(&self, now: Instant) {
        self.now
            .set(millis(now.saturating_duration_since(self.epoch)));
    }

    /// The moment of the last tick.
    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    /// The earliest moment at which `pause` has passed for certain.
    pub(crate) fn after(&self, pause: Duration) -> u64 {
        self.now
            .get()
            .saturating_add(millis(pause))
            .saturating_add(self.tick.get())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_early() {
        let epoch = Instant::now();
        let clock = Clock::new(epoch);
        clock.set_tick(Duration::from_millis(80));
        assert_eq!(clock.tick(), Duration::from_millis(10));
        // started right before a tick, when the clock is as old as it gets
        let end = clock.after(Duration::from_millis(80));
        clock.advance(epoch + Duration::from_millis(10 + 79));
        assert!(clock.now() < end);
        clock.advance(epoch + Duration::from_millis(10 + 80));
        assert!(clock.now() >= end);
    }

    #[test]
    fn ticks_are_neither_frantic_nor_sleepy() {
        let clock = Clock::new(Instant::now());
        clock.set_tick(Duration::from_millis(1));
        assert_eq!(clock.tick(), Duration::from_millis(5));
        clock.set_tick(Duration::from_secs(60));
        assert_eq!(clock.tick(), Duration::from_millis(100));
    }
}

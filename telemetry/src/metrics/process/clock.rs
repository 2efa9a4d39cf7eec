//! The wall clock, and how far it was set since this was made.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks at one instant, to compare them later.
#[derive(Debug)]
pub(super) struct Clocks {
    monotonic: Instant,
    /// Seconds since the Unix epoch.
    wall: f64,
}

impl Default for Clocks {
    fn default() -> Self {
        Self {
            monotonic: Instant::now(),
            wall: Self::wall(),
        }
    }
}

impl Clocks {
    /// Seconds since the Unix epoch, now.
    pub(super) fn wall() -> f64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64()
    }

    /// Seconds that the wall clock has gained on the monotonic one.
    pub(super) fn offset(&self) -> f64 {
        Self::wall() - self.wall - self.monotonic.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_forward_shows() {
        let set = Clocks {
            monotonic: Instant::now(),
            wall: Clocks::wall() - 3_600.0,
        };
        assert!((set.offset() - 3_600.0).abs() < 60.0, "{}", set.offset());
    }
}

use super::Trip;
use super::window::Totals;

/// Fewer calls than this in the window have no failure ratio worth the name.
const MINIMUM_VOLUME: u32 = 20;

/// When a closed breaker opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// When of the calls in the window this share failed, in percent; 0: never.
    pub failure_percent: u32,
    /// When so many calls in a row failed; 0: never.
    pub consecutive_failures: u32,
}

impl Rules {
    /// Whether the failure that was just counted opens it.
    pub(super) fn judge(&self, failures_in_row: u32, totals: Totals) -> Option<Trip> {
        if self.consecutive_failures > 0 && failures_in_row >= self.consecutive_failures {
            return Some(Trip::ConsecutiveFailures);
        }
        let Totals { calls, failures } = totals;
        let share = u64::from(failures) * 100 >= u64::from(calls) * u64::from(self.failure_percent);
        let ratio = self.failure_percent > 0 && calls >= MINIMUM_VOLUME && share;
        ratio.then_some(Trip::FailureRatio)
    }
}

impl Default for Rules {
    /// Half of the calls, or five in a row.
    fn default() -> Self {
        Self {
            failure_percent: 50,
            consecutive_failures: 5,
        }
    }
}

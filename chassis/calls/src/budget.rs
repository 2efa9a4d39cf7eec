use std::time::{Duration, Instant};

/// Tokens that a bucket holds at most: what was saved in quiet times is no licence for a storm.
const CAPACITY: f64 = 5.0;
/// Retries a second that are always earned: an edge with few calls would else hardly earn any.
const FLOOR: f64 = 1.0;

/// How many of an edge's calls may be made again: each call earns a fraction of a token, each
/// retry costs one (the retry budget of Finagle and Linkerd). A callee that fails then gets that
/// fraction more calls, never a multiple of them.
///
/// Where the calls of a second earn less than one token, one is earned: it is the larger of the
/// two, not their sum, so that the fraction is all that a busy callee gets.
///
/// A plain type: it is told what time it is.
#[derive(Debug)]
pub struct RetryBudget {
    tokens: f64,
    /// When the present second began, and what its calls have earned.
    second: Instant,
    earned: f64,
}

impl RetryBudget {
    /// Full.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            tokens: CAPACITY,
            second: now,
            earned: 0.0,
        }
    }

    /// A call was made: it earns `percent` of a token.
    pub fn earn(&mut self, percent: u32, now: Instant) {
        self.floor(now);
        let earned = f64::from(percent.min(100)) / 100.0;
        self.earned += earned;
        self.tokens = (self.tokens + earned).min(CAPACITY);
    }

    /// Whether there is a token for a retry; it is then spent.
    pub fn spend(&mut self, now: Instant) -> bool {
        self.floor(now);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }

    /// What is there to be spent.
    #[must_use]
    pub fn tokens(&self) -> f64 {
        self.tokens
    }

    /// Makes up for the seconds in which the calls earned less than the floor.
    fn floor(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.second).as_secs();
        if seconds == 0 {
            return;
        }
        let idle = (seconds - 1) as f64 * FLOOR;
        let missing = (FLOOR - self.earned).max(0.0) + idle;
        self.tokens = (self.tokens + missing).min(CAPACITY);
        self.second += Duration::from_secs(seconds);
        self.earned = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Every call fails and wants to be made again, `rate` of them a second, for ten seconds after
    /// a long quiet time. Returns attempts by calls.
    fn amplification(percent: u32, rate: u32) -> f64 {
        let start = Instant::now();
        let mut budget = RetryBudget::new(start);
        let start = start + SECOND * 3600;
        let calls = rate * 10;
        let mut retries = 0;
        for n in 0..calls {
            let now = start + SECOND * n / rate;
            budget.earn(percent, now);
            retries += u32::from(budget.spend(now));
        }
        f64::from(calls + retries) / f64::from(calls)
    }

    #[test]
    fn a_storm_is_amplified_by_no_more_than_the_fraction_and_what_was_saved() {
        for rate in [13, 30, 100, 1000] {
            let saved = CAPACITY / f64::from(rate * 10);
            for percent in [8, 20, 50] {
                let most = 1.0 + f64::from(percent) / 100.0 + saved + 1e-9;
                let amplified = amplification(percent, rate);
                assert!(amplified <= most, "{percent} % of {rate}/s: {amplified}");
                assert!(
                    amplified > most - 0.02,
                    "{percent} % of {rate}/s: {amplified}"
                );
            }
        }
        assert!(amplification(8, 30) <= 1.1, "the default keeps its promise");
    }

    #[test]
    fn few_calls_earn_one_retry_a_second() {
        let start = Instant::now();
        let mut budget = RetryBudget::new(start);
        while budget.spend(start) {}
        assert!(!budget.spend(start + SECOND - Duration::from_millis(1)));
        for n in 1..=4 {
            let now = start + SECOND * n;
            assert!(budget.spend(now) && !budget.spend(now), "second {n}");
        }
        // The calls of one second have earned more than the floor already.
        let now = start + SECOND * 5;
        assert!(budget.spend(now));
        for _ in 0..20 {
            budget.earn(8, now);
        }
        assert!(budget.spend(now) && !budget.spend(now));
        assert!(!budget.spend(now + SECOND), "0.6 are left over");
        assert!(budget.spend(now + SECOND * 2));
    }

    #[test]
    fn what_is_saved_is_bounded() {
        let start = Instant::now();
        let mut budget = RetryBudget::new(start);
        for _ in 0..1000 {
            budget.earn(100, start);
        }
        let later = start + SECOND * 86_400;
        let spent = (0..1000).filter(|_| budget.spend(later)).count();
        assert_eq!(spent, 5);
        assert!(budget.tokens() < 1.0);
    }
}

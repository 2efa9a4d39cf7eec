//! The generic cell rate algorithm (ITU-T I.371, virtual scheduling): one number a key, exact,
//! without windows whose edges can be gamed.

use crate::settings::Rate;

const NANOS: u64 = 1_000_000_000;

/// A rate and its burst, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pace {
    /// Time that one request takes away.
    interval: u64,
    /// Time that may be taken away in advance: the burst.
    window: u64,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) allowed: bool,
    /// Requests that would still be let through at once.
    pub(crate) remaining: u64,
    /// Nanoseconds until the whole burst is there again.
    pub(crate) reset: u64,
    /// Nanoseconds until the next request is let through; zero if one would be now.
    pub(crate) retry_after: u64,
}

impl Decision {
    /// Whole seconds until the next request is let through, at least one.
    pub(crate) fn retry_after_seconds(&self) -> u64 {
        self.retry_after.div_ceil(NANOS).max(1)
    }
}

impl Pace {
    /// # Errors
    /// A sentence: which number cannot be used.
    pub(crate) fn new(rate: Rate) -> Result<Self, String> {
        if rate.requests == 0 || rate.seconds == 0 || rate.burst == 0 {
            return Err("`requests`, `seconds` and `burst` must be at least 1".to_owned());
        }
        let interval = (u64::from(rate.seconds) * NANOS / u64::from(rate.requests)).max(1);
        let window = interval
            .checked_mul(u64::from(rate.burst))
            .filter(|window| *window <= 86_400 * NANOS)
            .ok_or("a full burst must be there again within a day")?;
        Ok(Self { interval, window })
    }

    /// Requests that may come at once.
    pub(crate) fn quota(self) -> u64 {
        self.window / self.interval
    }

    /// Nanoseconds in which a whole burst comes back.
    pub(crate) fn window(self) -> u64 {
        self.window
    }

    /// Decides on a request at `now`. `due` is when the key's budget is whole again (the
    /// theoretical arrival time); it moves only if the request is allowed.
    pub(crate) fn decide(self, due: &mut u64, now: u64) -> Decision {
        let start = (*due).max(now);
        let after = start.saturating_add(self.interval);
        let taken = after - now;
        let allowed = taken <= self.window;
        let taken = if allowed {
            *due = after;
            taken
        } else {
            start - now
        };
        let left = self.window.saturating_sub(taken);
        let remaining = left / self.interval;
        Decision {
            allowed,
            remaining,
            reset: taken,
            retry_after: self.interval.saturating_sub(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(requests: u32, seconds: u32, burst: u32) -> Pace {
        Pace::new(Rate {
            requests,
            seconds,
            burst,
        })
        .unwrap()
    }

    #[test]
    fn a_burst_passes_then_one_request_an_interval() {
        let pace = pace(10, 1, 3);
        let (mut due, now) = (0, 5 * NANOS);
        for remaining in [2, 1, 0] {
            let decision = pace.decide(&mut due, now);
            assert_eq!((decision.allowed, decision.remaining), (true, remaining));
        }
        let refused = pace.decide(&mut due, now);
        assert!(!refused.allowed);
        assert_eq!(refused.retry_after, NANOS / 10);
        assert_eq!(refused.reset, 3 * NANOS / 10);

        let just_before = now + NANOS / 10 - 1;
        assert_eq!(pace.decide(&mut due, just_before).retry_after, 1);
        assert!(pace.decide(&mut due, just_before + 1).allowed);
        assert!(!pace.decide(&mut due, just_before + 1).allowed);
    }

    #[test]
    fn refused_requests_cost_nothing_and_rest_brings_the_burst_back() {
        let pace = pace(1, 1, 2);
        let mut due = 0;
        pace.decide(&mut due, NANOS);
        pace.decide(&mut due, NANOS);
        for _ in 0..1_000 {
            assert!(!pace.decide(&mut due, NANOS).allowed);
        }
        let rested = NANOS + 2 * NANOS;
        assert_eq!(pace.decide(&mut due, rested).remaining, 1);
    }

    #[test]
    fn over_any_stretch_no_more_than_rate_and_burst_pass() {
        let pace = pace(50, 1, 10);
        let (mut due, mut passed) = (0, 0);
        for step in 0..10_000_u64 {
            // one request a millisecond, for ten seconds
            passed += u64::from(pace.decide(&mut due, NANOS + step * 1_000_000).allowed);
        }
        assert!((505..=510).contains(&passed), "{passed}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (requests, seconds, burst) in [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 3600, 1000)] {
            let rate = Rate {
                requests,
                seconds,
                burst,
            };
            assert!(Pace::new(rate).is_err(), "{rate:?}");
        }
    }
}

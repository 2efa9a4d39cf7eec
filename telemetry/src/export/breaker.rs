//! When to leave a collector alone.
//!
//! Closed, an attempt that fails is followed by the next after a short, growing pause. After some
//! failures in a row the breaker opens: pauses grow further, and each ends with one attempt, half
//! open, that decides. Any answer that is not "later" closes it.

use super::retry::Backoff;
use std::time::{Duration, Instant};

/// So many failed attempts in a row open the breaker.
const FAILURES: u32 = 3;
/// Nothing waits longer than this on its own account while the service ends.
const HASTE: Duration = Duration::from_millis(250);

/// Whether data flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    Closed,
    /// The collector is left alone for a while.
    Open,
    /// One attempt finds out.
    HalfOpen,
}

impl State {
    pub(crate) const ALL: [State; 3] = [State::Closed, State::Open, State::HalfOpen];

    /// The state as a metric's label value.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half_open",
        }
    }
}

/// Why the next attempt waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    failed: Instant,
    length: Duration,
    /// The collector asked for it; otherwise it is our own prudence.
    pub(super) asked: bool,
}

impl Pause {
    /// When the next attempt may be made. While the service ends, prudence is short: it is the
    /// data's last chance.
    pub(super) fn until(&self, ending: bool) -> Instant {
        let length = if ending && !self.asked {
            self.length.min(HASTE)
        } else {
            self.length
        };
        self.failed + length
    }
}

/// What a failed attempt means for the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    First,
    Opens,
    Another,
}

#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    failures: u32,
    backoff: Backoff,
    pause: Option<Pause>,
}

impl Breaker {
    pub(super) fn new() -> Breaker {
        Breaker {
            state: State::Closed,
            failures: 0,
            backoff: Backoff::new(),
            pause: None,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// What the next attempt has to wait for.
    pub(super) fn pause(&self) -> Option<Pause> {
        self.pause
    }

    /// An attempt begins.
    pub(super) fn attempt(&mut self) {
        if self.state == State::Open {
            self.state = State::HalfOpen;
        }
    }

    /// It failed; the collector may have asked for a pause.
    pub(super) fn failed(&mut self, now: Instant, asked: Option<Duration>) -> Failure {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.state = State::Open;
        }
        let prudent = self.backoff.next();
        let asked = asked.filter(|asked| *asked > prudent);
        self.pause = Some(Pause {
            failed: now,
            length: asked.unwrap_or(prudent),
            asked: asked.is_some(),
        });
        match self.failures {
            1 => Failure::First,
            FAILURES => Failure::Opens,
            _ => Failure::Another,
        }
    }

    /// The collector decided about what it was sent. True if that closes the breaker.
    pub(super) fn answered(&mut self) -> bool {
        let closes = self.state != State::Closed;
        *self = Breaker::new();
        closes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_open_it_and_one_answer_closes_it() {
        let mut breaker = Breaker::new();
        let now = Instant::now();
        for _ in 1..FAILURES {
            breaker.attempt();
            assert_ne!(breaker.failed(now, None), Failure::Opens);
            assert_eq!(breaker.state(), State::Closed);
        }
        let closed = breaker.pause().unwrap().length;
        assert_eq!(breaker.failed(now, None), Failure::Opens);
        for _ in 0..20 {
            breaker.attempt();
            assert_eq!(breaker.failed(now, None), Failure::Another);
            assert_eq!(breaker.state(), State::Open);
            breaker.attempt();
            assert_eq!(breaker.state(), State::HalfOpen);
        }
        let open = breaker.pause().unwrap().length;
        assert!(open > closed && open <= Duration::from_secs(60), "{open:?}");
        assert!(breaker.answered());
        assert!(!breaker.answered());
        assert_eq!((breaker.state(), breaker.pause()), (State::Closed, None));
        assert_eq!(breaker.failed(now, None), Failure::First);
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn prudence_is_short_in_the_end_and_what_was_asked_for_is_kept() {
        let now = Instant::now();
        let hour = Duration::from_secs(3600);
        let mut breaker = Breaker::new();
        breaker.failed(now, Some(hour));
        let asked = breaker.pause().unwrap();
        assert!(asked.asked);
        assert_eq!(
            (asked.until(false), asked.until(true)),
            (now + hour, now + hour)
        );
        for _ in 0..20 {
            breaker.failed(now, Some(Duration::ZERO));
        }
        let own = breaker.pause().unwrap();
        assert!(!own.asked);
        assert!(own.until(false) > now + HASTE);
        assert_eq!(own.until(true), now + HASTE);
    }
}

//! When an endpoint is no longer asked: a circuit breaker (M. Nygard, "Release It!", 2007).
//!
//! ```text
//!                too many failures                      the open time is over
//!     closed ───────────────────────> open ─────────────────────────────────> half-open
//!       ^                               ^        a probe failed                   │ │
//!       │                               └──────────────────────────────────────────┘ │
//!       └────────────────────────────────────────────────────────────────────────────┘
//!                              enough probes succeeded
//! ```
//!
//! A plain type: it is told what time it is, and draws its jitter from a seed.

mod rules;
mod window;

use std::time::{Duration, Instant};

pub use rules::Rules;
use window::Window;

/// The open time after the first trip; each further trip before the breaker closes doubles it.
const FIRST_OPEN: Duration = Duration::from_millis(500);
/// The longest open time.
const LONGEST_OPEN: Duration = Duration::from_secs(5);
/// Calls that are let through half-open: if all of them succeed, the breaker closes.
const PROBES: u32 = 3;

/// Guards one endpoint.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    /// Counts the changes of state. What was let through before a change says nothing after it.
    era: u64,
    /// Trips since it was closed last.
    trips: u32,
    last_trip: Option<(Trip, Instant)>,
    random: u64,
}

#[derive(Debug)]
enum State {
    Closed {
        window: Window,
        failures_in_row: u32,
    },
    Open {
        until: Instant,
    },
    HalfOpen {
        under_way: u32,
        succeeded: u32,
    },
}

/// What [`Breaker::state`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through and are counted.
    Closed,
    /// No call goes through.
    Open,
    /// A few calls go through, as probes.
    HalfOpen,
}

/// Why a breaker opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    /// Too large a share of the calls in the window failed.
    FailureRatio,
    /// Too many calls failed one after the other.
    ConsecutiveFailures,
    /// It was half-open, and a probe failed.
    ProbeFailed,
}

/// What a call that was let through says of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// Nothing: the call was given up for reasons of the caller's.
    Unknown,
}

/// A call that was let through; to be handed back with its verdict.
#[derive(Debug)]
#[must_use = "a probe that is never handed back keeps its place"]
pub struct Pass {
    era: u64,
}

impl Breaker {
    /// Closed. Breakers of different endpoints take different seeds, or they would all probe at
    /// once.
    #[must_use]
    pub fn new(now: Instant, seed: u64) -> Self {
        Self {
            state: State::closed(now),
            era: 0,
            trips: 0,
            last_trip: None,
            random: seed,
        }
    }

    /// Asks to make a call; `None`: not now.
    pub fn admit(&mut self, now: Instant) -> Option<Pass> {
        if let State::Open { until } = self.state
            && now >= until
        {
            self.change(State::HalfOpen {
                under_way: 0,
                succeeded: 0,
            });
        }
        match &mut self.state {
            State::Closed { .. } => {}
            State::Open { .. } => return None,
            State::HalfOpen {
                under_way,
                succeeded,
            } => {
                if *under_way + *succeeded >= PROBES {
                    return None;
                }
                *under_way += 1;
            }
        }
        Some(Pass { era: self.era })
    }

    /// Takes a call back; tells if the breaker opened because of it.
    #[allow(clippy::needless_pass_by_value)] // A pass is handed back once.
    pub fn record(
        &mut self,
        pass: Pass,
        verdict: Verdict,
        rules: &Rules,
        now: Instant,
    ) -> Option<Trip> {
        if pass.era != self.era {
            return None;
        }
        match &mut self.state {
            State::Closed {
                window,
                failures_in_row,
            } => {
                let failed = match verdict {
                    Verdict::Unknown => return None,
                    Verdict::Success => false,
                    Verdict::Failure => true,
                };
                window.record(failed, now);
                if !failed {
                    *failures_in_row = 0;
                    return None;
                }
                *failures_in_row += 1;
                let trip = rules.judge(*failures_in_row, window.totals(now))?;
                Some(self.open(trip, now))
            }
            // Nothing is let through while it is open.
            State::Open { .. } => None,
            State::HalfOpen {
                under_way,
                succeeded,
            } => {
                *under_way -= 1;
                match verdict {
                    Verdict::Unknown => None,
                    Verdict::Failure => Some(self.open(Trip::ProbeFailed, now)),
                    Verdict::Success => {
                        *succeeded += 1;
                        if *succeeded >= PROBES {
                            self.trips = 0;
                            self.change(State::closed(now));
                        }
                        None
                    }
                }
            }
        }
    }

    /// The state it is in. An open time that is over shows only when the next call asks.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Why it opened last, and when.
    #[must_use]
    pub fn last_trip(&self) -> Option<(Trip, Instant)> {
        self.last_trip
    }

    fn open(&mut self, trip: Trip, now: Instant) -> Trip {
        let longest = FIRST_OPEN
            .saturating_mul(1 << self.trips.min(16))
            .min(LONGEST_OPEN);
        self.trips = self.trips.saturating_add(1);
        self.last_trip = Some((trip, now));
        // From the upper half: never much sooner than meant, and callers do not return as one.
        let open_for = longest.mul_f64(0.5 + 0.5 * self.draw());
        self.change(State::Open {
            until: now + open_for,
        });
        trip
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.era += 1;
    }

    /// A number in [0, 1), by `SplitMix64` as in [`Balancer`](crate::Balancer).
    fn draw(&mut self) -> f64 {
        let bits = crate::random::split_mix(&mut self.random) >> 11;
        // 53 bits: each is a float.
        bits as f64 / (1_u64 << 53) as f64
    }
}

impl State {
    fn closed(now: Instant) -> Self {
        Self::Closed {
            window: Window::new(now),
            failures_in_row: 0,
        }
    }
}

#[cfg(test)]
mod tests;

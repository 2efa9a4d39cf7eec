//! What may happen at a point.

use std::time::Duration;

use http::StatusCode;

/// The longest that a fault stays armed without a word from whoever armed it.
pub const LEASE_MAX: Duration = Duration::from_secs(60);
/// The longest that a fault stays armed, however often it is renewed.
pub const TTL_MAX: Duration = Duration::from_secs(600);
/// The longest delay: whatever waits longer than this hangs.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// A fault that struck as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Injected {
    /// As if the other side had answered this.
    #[error("injected: status {0}")]
    Status(StatusCode),
    /// As if nobody listened.
    #[error("injected: connection refused")]
    Refused,
    /// As if the connection had broken.
    #[error("injected: connection reset")]
    Reset,
}

/// What strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The process kills itself (SIGKILL): nothing more is written, sent or said.
    Kill,
    /// The process stops itself (SIGSTOP): connections stay open and nobody answers, until it gets
    /// a SIGCONT. The kernel sends it one when the lease ends.
    Stop,
    /// Going on takes `delay` more, give or take up to `jitter`.
    Latency {
        /// The mean.
        delay: Duration,
        /// The farthest from it, at most `delay`; all values between are as likely.
        jitter: Duration,
    },
    /// Going on fails.
    Error(Injected),
    /// Nothing goes on until the fault ends; then the connection is broken.
    Hang,
}

impl Action {
    /// All names, in the order of [`index`](Self::index).
    pub(crate) const NAMES: [&'static str; 5] = ["kill", "stop", "latency", "error", "hang"];

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Kill => 0,
            Self::Stop => 1,
            Self::Latency { .. } => 2,
            Self::Error(_) => 3,
            Self::Hang => 4,
        }
    }

    /// As operators and metrics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self.index()]
    }
}

/// What is to happen at a point, how often, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// What strikes.
    pub action: Action,
    /// The share of passes that it strikes: above 0, at most 1.
    pub probability: f64,
    /// How many times it strikes at most. `None`: as long as it is armed; a process stops itself
    /// but once.
    pub count: Option<u64>,
    /// It ends so long after it was armed or last renewed: above 0, at most [`LEASE_MAX`].
    pub lease: Duration,
    /// It ends so long after it was armed, renewed or not: above 0, at most [`TTL_MAX`].
    pub ttl: Duration,
}

impl Fault {
    /// A fault that strikes each pass, for as long as its lease is renewed.
    #[must_use]
    pub fn new(action: Action, lease: Duration) -> Self {
        Self {
            action,
            probability: 1.0,
            count: None,
            lease,
            ttl: TTL_MAX,
        }
    }

    /// How many times it strikes at most.
    pub(crate) fn strikes(&self) -> u64 {
        match (self.count, self.action) {
            (Some(count), _) => count,
            (None, Action::Stop) => 1,
            (None, _) => u64::MAX,
        }
    }

    /// Whether it can be armed; the error says what cannot be.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.lease.is_zero() || self.lease > LEASE_MAX {
            return Err("the lease must be from 1 to 60000 ms");
        }
        if self.ttl.is_zero() || self.ttl > TTL_MAX {
            return Err("the time to live must be from 1 to 600000 ms");
        }
        // Not a number is refused as well.
        if !(self.probability > 0.0 && self.probability <= 1.0) {
            return Err("the probability must be above 0 and at most 1");
        }
        if self.count == Some(0) {
            return Err("the count must be at least 1");
        }
        match self.action {
            Action::Latency { delay, .. } if delay.is_zero() || delay > DELAY_MAX => {
                Err("the delay must be from 1 to 60000 ms")
            }
            Action::Latency { delay, jitter } if jitter > delay => {
                Err("the jitter must not be more than the delay")
            }
            Action::Error(Injected::Status(status))
                if !(status.is_client_error() || status.is_server_error()) =>
            {
                Err("the status must be one of an error, from 400 to 599")
            }
            _ => Ok(()),
        }
    }
}

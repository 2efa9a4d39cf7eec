//! The right to act on a row, for a while.

use std::time::{Duration, Instant};

use app::Timestamp;
use calls::edges::PAYMENTS_ACQUIRER;

/// How long after a claim a request to charge may still begin.
pub(crate) const SEND_WITHIN: Duration = Duration::from_secs(2);

/// What a claim is made with.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    /// Who claims.
    pub(crate) owner: String,
    pub(crate) now: Timestamp,
    /// Until when nobody else may.
    pub(crate) until: Timestamp,
    claimed: Instant,
}

impl Lease {
    /// A claim made now, with a bank that books within `settle` of a request.
    pub(crate) fn new(owner: &str, settle: Duration) -> Self {
        // The monotonic clock is read first: by it, the claim is never younger than the row says.
        let claimed = Instant::now();
        let now = Timestamp::now();
        Self {
            owner: owner.to_owned(),
            now,
            until: now.plus(SEND_WITHIN + PAYMENTS_ACQUIRER.deadline + settle),
            claimed,
        }
    }

    /// A claim at a moment of a test's own; its monotonic clock is of no use.
    #[cfg(test)]
    pub(crate) fn at(owner: &str, now: Timestamp, settle: Duration) -> Self {
        Self {
            now,
            until: now.plus(SEND_WITHIN + PAYMENTS_ACQUIRER.deadline + settle),
            ..Self::new(owner, settle)
        }
    }

    /// Whether a request to charge may begin.
    pub(crate) fn may_send(&self) -> bool {
        self.claimed.elapsed() < SEND_WITHIN
    }

    /// Whether a request to charge may still be under way.
    pub(crate) fn may_wait(&self) -> bool {
        self.claimed.elapsed() < SEND_WITHIN + PAYMENTS_ACQUIRER.deadline
    }
}

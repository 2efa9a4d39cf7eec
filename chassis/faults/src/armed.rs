//! An armed fault and its lease.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::fault::Fault;

/// Armed once. It ends at the least of its time to live and its lease, both on the monotonic clock,
/// which also runs while the process is stopped.
#[derive(Debug)]
pub(crate) struct Armed {
    pub(crate) fault: Fault,
    dies: Instant,
    /// When the lease ends; `None` once somebody has ended it.
    ends: watch::Sender<Option<Instant>>,
    left: AtomicU64,
    injected: AtomicU64,
}

impl Armed {
    pub(crate) fn new(fault: Fault) -> Self {
        let now = Instant::now();
        let dies = now + fault.ttl;
        Self {
            fault,
            dies,
            ends: watch::Sender::new(Some(dies.min(now + fault.lease))),
            left: AtomicU64::new(fault.strikes()),
            injected: AtomicU64::new(0),
        }
    }

    /// How long it has yet, if it has not ended.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let left = (*self.ends.borrow())?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Begins the lease anew; false if it has ended.
    pub(crate) fn renew(&self) -> bool {
        let now = Instant::now();
        self.ends.send_if_modified(|ends| match ends {
            Some(at) if *at > now => {
                *at = self.dies.min(now + self.fault.lease);
                true
            }
            _ => false,
        })
    }

    /// Ends it, whatever its lease.
    pub(crate) fn end(&self) {
        self.ends.send_replace(None);
    }

    /// Returns when it has ended.
    pub(crate) async fn over(&self) {
        over(self.ends.subscribe()).await;
    }

    /// The same, for those that must not keep it.
    pub(crate) fn lease(&self) -> watch::Receiver<Option<Instant>> {
        self.ends.subscribe()
    }

    /// Whether this pass is struck, which then counts.
    pub(crate) fn strikes(&self) -> bool {
        let drawn = self.fault.probability >= 1.0 || rand::random_bool(self.fault.probability);
        let strikes = drawn
            && self.remaining().is_some()
            && self
                .left
                .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
                .is_ok();
        if strikes {
            self.injected.fetch_add(1, Relaxed);
        }
        strikes
    }

    /// How many times it may strike yet; `None`: as often as it is passed.
    pub(crate) fn left(&self) -> Option<u64> {
        let counted = self.fault.strikes() != u64::MAX;
        counted.then(|| self.left.load(Relaxed))
    }

    /// How many times it has struck.
    pub(crate) fn injected(&self) -> u64 {
        self.injected.load(Relaxed)
    }
}

/// Returns when a lease has ended, or nobody can renew it any more.
pub(crate) async fn over(mut lease: watch::Receiver<Option<Instant>>) {
    loop {
        let Some(at) = *lease.borrow_and_update() else {
            return;
        };
        match timeout_at(at, lease.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

//! How a feed is followed just now, for whoever watches.

use std::sync::{Mutex, MutexGuard, PoisonError};

use app::Timestamp;

use super::cursor::Cursor;
use super::parked::Counts;

/// What this instance knows of a feed that its service follows.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) feed: &'static str,
    known: Mutex<Known>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) position: i64,
    pub(super) head: i64,
    /// When the oldest event that the cursor has not passed was published.
    pub(super) behind_since: Option<Timestamp>,
    pub(super) parked: Counts,
    pub(super) stalled: Option<String>,
}

impl Known {
    pub(super) fn lag_events(&self) -> i64 {
        (self.head - self.position).max(0)
    }

    pub(super) fn lag_seconds(&self) -> f64 {
        match self.behind_since {
            Some(since) if self.lag_events() > 0 => since.elapsed().as_secs_f64(),
            _ => 0.0,
        }
    }
}

impl Status {
    pub(super) fn new(feed: &'static str) -> Self {
        Self {
            feed,
            known: Mutex::default(),
        }
    }

    pub(super) fn known(&self) -> Known {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As the store has it.
    pub(super) fn read(&self, cursor: &Cursor, parked: Counts) {
        let mut known = self.lock();
        known.position = cursor.position;
        known.head = cursor.head.max(cursor.position);
        known.behind_since = cursor.behind_since;
        known.parked = parked;
        known.stalled.clone_from(&cursor.stalled);
    }

    /// The feed goes as far as this.
    pub(super) fn heard(&self, head: i64) {
        let mut known = self.lock();
        known.head = known.head.max(head);
    }

    /// The cursor is here, and the next event that is known behind it was published then.
    pub(super) fn moved(&self, position: i64, next: Option<Timestamp>) {
        let mut known = self.lock();
        known.position = position;
        known.head = known.head.max(position);
        known.behind_since = next;
    }

    pub(super) fn parked(&self, parked: Counts) {
        self.lock().parked = parked;
    }

    pub(super) fn stalled(&self, why: &str) {
        self.lock().stalled = Some(why.to_owned());
    }
}

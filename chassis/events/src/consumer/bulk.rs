//! Many events at once, where a feed is far behind.

use super::Interrupted;
use super::apply::unpanicked;
use super::follow::{Follower, Place};
use crate::{Event, Failure};

/// From so many events in hand on, the feed is far behind.
const BEHIND: usize = 64;
/// Most events of one transaction: other writers of the store wait no longer than this takes.
const BULK: usize = 512;

impl Follower {
    /// Handles many events in hand at once. If it says no, nothing has happened: they are few, or
    /// one of them fails, or some are parked, behind which others may have to wait.
    pub(super) async fn in_bulk(&mut self, place: &mut Place) -> Result<bool, Interrupted> {
        let many = place.hand.len().min(BULK);
        if many < BEHIND || !self.handler.in_bulk() || self.status.known().parked.any() {
            return Ok(false);
        }
        let events = &place.hand.make_contiguous()[..many];
        let taken: Vec<&Event> = events.iter().filter(|event| self.takes(event)).collect();
        let attempts: Vec<_> = taken.iter().map(|event| self.begin(event)).collect();
        let attempts = attempts.into_iter().zip(&taken);
        match self.at_once(place.at, events, &taken).await {
            Ok(Ok(())) => {
                for (mut attempt, event) in attempts {
                    attempt.was_one_of(taken.len());
                    self.attempts.handled(attempt, event);
                }
                self.pass(place, many);
                Ok(true)
            }
            Ok(Err(failure)) => {
                let (feed, reason) = (self.cursors.feed, failure.to_string());
                tracing::debug!(feed, many, reason, "many events failed together");
                for (attempt, _) in attempts {
                    attempt.undone();
                }
                Ok(false)
            }
            Err(why) => {
                for (attempt, _) in attempts {
                    attempt.interrupted(why.error_type());
                }
                Err(why)
            }
        }
    }

    /// One transaction with the effects of those events that are `taken`.
    async fn at_once(
        &self,
        at: i64,
        events: &[Event],
        taken: &[&Event],
    ) -> Result<Result<(), Failure>, Interrupted> {
        let Some(last) = events.last() else {
            return Ok(Ok(()));
        };
        let mut tx = self.cursors.sql.begin_write().await?;
        self.cursors.advance(&mut tx, at, last).await?;
        let work = async {
            for _ in taken {
                self.poison().await?;
            }
            self.handler.handle_all(taken, &mut tx).await
        };
        if let Err(failure) = unpanicked(work).await {
            tx.rollback().await?;
            return Ok(Err(failure));
        }
        let commit = async { Ok::<_, Interrupted>(tx.commit().await?) };
        self.points.commit.pass(commit).await?;
        Ok(Ok(()))
    }
}

//! Further attempts at events that have failed, and the turns of those that waited behind them.

use super::Interrupted;
use super::follow::{Follower, Place, Verdict};
use super::parked::{Failed, Parked};
use crate::{Event, Failure};

impl Follower {
    /// Tries a parked event again.
    pub(super) async fn retry(
        &mut self,
        place: &mut Place,
        parked: Parked,
    ) -> Result<(), Interrupted> {
        let event = &parked.event;
        let tries = self.tries.get(&event.id).copied().unwrap_or(0);
        let number = parked.attempts + tries + 1;
        let attempt = self.attempts.begin(event, number);
        let outcome = attempt.within(self.take_up(place.at, &parked)).await;
        match outcome {
            Ok(None) => {
                self.attempts.handled(attempt, event);
                self.tries.remove(&event.id);
            }
            Ok(Some(failure)) => {
                let verdict = self.judge(event, number, failure.clone());
                match verdict {
                    Verdict::Held(until) => {
                        self.attempts.later(attempt, event, &failure.to_string());
                        place.held_until = Some(until);
                    }
                    Verdict::Aside(reason) => {
                        let failed = self.failed(number, &reason);
                        if let Err(why) = attempt.within(self.set_back(&parked, &failed)).await {
                            attempt.interrupted(why.error_type());
                            return Err(why);
                        }
                        self.told(attempt, event, &failed);
                        self.tries.remove(&event.id);
                    }
                }
            }
            Err(why) => {
                attempt.interrupted(why.error_type());
                return Err(why);
            }
        }
        self.count().await
    }

    /// The event's effect; whoever waits behind it has its turn then.
    async fn take_up(&self, at: i64, parked: &Parked) -> Result<Option<Failure>, Interrupted> {
        let (feed, event): (_, &Event) = (self.cursors.feed, &parked.event);
        let mut tx = self.cursors.sql.begin_write().await?;
        self.cursors.hold(&mut tx, at).await?;
        self.lot.take_out(&mut tx, feed, parked).await?;
        if let Err(failure) = self.handle(event, &mut tx).await {
            tx.rollback().await?;
            return Ok(Some(failure));
        }
        self.lot.advance(&mut tx, feed, &event.subject).await?;
        let commit = async { Ok::<_, Interrupted>(tx.commit().await?) };
        self.points.retry.pass(commit).await?;
        let (id, kind) = (&*event.id, &*event.kind);
        tracing::info!(feed, event = id, kind, "a parked event was handled");
        Ok(None)
    }

    async fn set_back(&self, parked: &Parked, failed: &Failed) -> Result<(), Interrupted> {
        let mut tx = self.cursors.sql.begin_write().await?;
        let feed = self.cursors.feed;
        self.lot.failed(&mut tx, feed, parked, failed).await?;
        let commit = async { Ok::<_, Interrupted>(tx.commit().await?) };
        self.points.retry.pass(commit).await?;
        self.say(&parked.event, failed);
        Ok(())
    }
}

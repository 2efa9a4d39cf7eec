//! New events: their effects, and the cursor's move past them, in one transaction.

use app::{Timestamp, caught};
use faults::Injected;
use stores::sql::Transaction;

use super::Interrupted;
use super::attempt::{Attempt, shortened};
use super::follow::{Follower, Place, Verdict};
use super::parked::{Failed, State};
use crate::{Event, Failure};

/// Most events of one transaction: commits cost less together, and other writers of the store wait
/// no longer than this takes.
const CHUNK: usize = 64;

/// An attempt that failed, still under way.
struct Refused {
    index: usize,
    attempt: Attempt,
    failure: Failure,
}

impl Follower {
    /// Handles the next events in hand: all at once, or one by one if one of them fails.
    pub(super) async fn apply(&mut self, place: &mut Place) -> Result<(), Interrupted> {
        if self.in_bulk(place).await? {
            return Ok(());
        }
        let chunk = place.hand.len().min(CHUNK);
        let events = &place.hand.make_contiguous()[..chunk];
        let Some(refused) = self.together(place.at, events).await? else {
            self.pass(place, chunk);
            return Ok(());
        };
        if chunk == 1 {
            return self.refused(place, refused).await;
        }
        self.undone(&events[refused.index], refused);
        for _ in 0..chunk {
            let events = &place.hand.make_contiguous()[..1];
            match self.together(place.at, events).await? {
                None => self.pass(place, 1),
                Some(refused) => self.refused(place, refused).await?,
            }
            if place.held_until.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// The effects of these events, or which of them was refused: then of none.
    async fn together(&self, at: i64, events: &[Event]) -> Result<Option<Refused>, Interrupted> {
        let mut begun = Vec::new();
        let mut waiting = Vec::new();
        let alone = match events {
            // All that is done for it is then part of its trace.
            [event] if self.takes(event) && !self.status.known().parked.any() => {
                Some(self.begin(event))
            }
            _ => None,
        };
        let work = self.transaction(at, events, alone.is_some(), (&mut begun, &mut waiting));
        let outcome = match &alone {
            Some(attempt) => attempt.within(work).await,
            None => work.await,
        };
        begun.extend(alone.map(|attempt| (0, attempt)));
        match outcome {
            Ok(None) => {
                for (index, attempt) in begun {
                    self.attempts.handled(attempt, &events[index]);
                }
                for index in waiting {
                    self.attempts.waits(&events[index]);
                }
                Ok(None)
            }
            Ok(Some(failure)) => {
                let last = begun.pop();
                for (_, attempt) in begun {
                    attempt.undone();
                }
                Ok(last.map(|(index, attempt)| Refused {
                    index,
                    attempt,
                    failure,
                }))
            }
            Err(why) => {
                for (_, attempt) in begun {
                    attempt.interrupted(why.error_type());
                }
                Err(why)
            }
        }
    }

    /// One transaction. What was begun in it, and what was put behind others, is added to `told`;
    /// the failure is that of the last that was begun.
    async fn transaction(
        &self,
        at: i64,
        events: &[Event],
        alone: bool,
        told: (&mut Vec<(usize, Attempt)>, &mut Vec<usize>),
    ) -> Result<Option<Failure>, Interrupted> {
        let (begun, waiting) = told;
        let Some(last) = events.last() else {
            return Ok(None);
        };
        let (feed, blocks) = (self.cursors.feed, self.status.known().parked.any());
        let mut tx = self.cursors.sql.begin_write().await?;
        self.cursors.advance(&mut tx, at, last).await?;
        for (index, event) in events.iter().enumerate() {
            if !self.takes(event) {
                continue;
            }
            if blocks && self.lot.blocks(&mut tx, feed, &event.subject).await? {
                self.lot.add(&mut tx, feed, event, None).await?;
                waiting.push(index);
                continue;
            }
            let handled = if alone {
                self.handle(event, &mut tx).await
            } else {
                let attempt = self.begin(event);
                let handled = attempt.within(self.handle(event, &mut tx)).await;
                begun.push((index, attempt));
                handled
            };
            if let Err(failure) = handled {
                tx.rollback().await?;
                return Ok(Some(failure));
            }
        }
        let commit = async { Ok::<_, Interrupted>(tx.commit().await?) };
        self.points.commit.pass(commit).await?;
        Ok(None)
    }

    pub(super) fn takes(&self, event: &Event) -> bool {
        self.handler.types().contains(&&*event.kind)
    }

    /// Begins the next attempt at an event that is not parked.
    pub(super) fn begin(&self, event: &Event) -> Attempt {
        let tries = self.tries.get(&event.id).copied().unwrap_or(0);
        self.attempts.begin(event, tries + 1)
    }

    /// What the handler says. Its panic is a failure of the event: it would panic again.
    pub(super) async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let work = async {
            self.poison().await?;
            self.handler.handle(event, tx).await
        };
        unpanicked(work).await
    }

    /// An injected error is the event's own.
    pub(super) async fn poison(&self) -> Result<(), Failure> {
        let poisoned = |injected: Injected| Failure::Event(injected.to_string());
        self.points.effect.pass().await.map_err(poisoned)
    }

    /// The cursor has passed so many events in hand.
    pub(super) fn pass(&mut self, place: &mut Place, events: usize) {
        let mut passed = None;
        for event in place.hand.drain(..events) {
            self.tries.remove(&event.id);
            place.at = event.position;
            passed = Some(event.time);
        }
        self.moved(place, passed);
    }

    /// One of many has failed: its attempt counts, though it is made again at once.
    fn undone(&mut self, event: &Event, refused: Refused) {
        *self.tries.entry(event.id.clone()).or_default() += 1;
        let attempt = refused.attempt;
        match refused.failure {
            Failure::Event(reason) => self.attempts.failed(attempt, event, &reason),
            Failure::Later(reason) => self.attempts.later(attempt, event, &reason),
        }
    }

    /// The first event in hand has failed: it is put aside, or held for now.
    async fn refused(&mut self, place: &mut Place, refused: Refused) -> Result<(), Interrupted> {
        let Some(event) = place.hand.front().cloned() else {
            return Ok(());
        };
        let Refused {
            attempt, failure, ..
        } = refused;
        match self.judge(&event, attempt.number(), failure.clone()) {
            Verdict::Held(until) => {
                self.attempts.later(attempt, &event, &failure.to_string());
                place.held_until = Some(until);
                Ok(())
            }
            Verdict::Aside(reason) => {
                let failed = self.failed(attempt.number(), &reason);
                let park = self.park(place.at, &event, &failed);
                if let Err(why) = attempt.within(park).await {
                    attempt.interrupted(why.error_type());
                    return Err(why);
                }
                self.told(attempt, &event, &failed);
                self.pass(place, 1);
                self.count().await
            }
        }
    }

    /// Puts an event that has failed aside, and the cursor behind it.
    async fn park(&self, at: i64, event: &Event, failed: &Failed) -> Result<(), Interrupted> {
        let mut tx = self.cursors.sql.begin_write().await?;
        self.cursors.advance(&mut tx, at, event).await?;
        let feed = self.cursors.feed;
        self.lot.add(&mut tx, feed, event, Some(failed)).await?;
        let commit = async { Ok::<_, Interrupted>(tx.commit().await?) };
        self.points.park.pass(commit).await?;
        self.say(event, failed);
        Ok(())
    }

    /// What a failed attempt means for the event.
    pub(super) fn failed(&self, number: u32, reason: &str) -> Failed {
        let state = if number >= self.common.load().events_attempts {
            State::Dead
        } else {
            State::Retrying
        };
        Failed {
            state,
            attempts: number,
            reason: shortened(reason).to_owned(),
            next_at: Timestamp::now().plus(self.pause(number)),
        }
    }

    /// Says in the log what became of a failed event; within its trace.
    pub(super) fn say(&self, event: &Event, failed: &Failed) {
        let (feed, kind, subject) = (self.cursors.feed, &*event.kind, &*event.subject);
        let (id, attempts, reason) = (&*event.id, failed.attempts, &*failed.reason);
        if failed.state == State::Dead {
            tracing::error!(
                feed,
                event = id,
                kind,
                subject,
                attempts,
                reason,
                "an event is a dead letter"
            );
        } else {
            tracing::warn!(
                feed,
                event = id,
                kind,
                subject,
                attempts,
                reason,
                "an event failed"
            );
        }
    }

    /// Ends a failed attempt, once it is written down.
    pub(super) fn told(&self, attempt: Attempt, event: &Event, failed: &Failed) {
        if failed.state == State::Dead {
            self.attempts.dead(attempt, event, &failed.reason);
        } else {
            self.attempts.failed(attempt, event, &failed.reason);
        }
    }

    /// Counts what is parked now.
    pub(super) async fn count(&self) -> Result<(), Interrupted> {
        let parked = self.lot.counts(self.cursors.feed).await?;
        self.status.parked(parked);
        Ok(())
    }
}

/// A panic as the failure that it is.
pub(super) async fn unpanicked(
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let panicked = |panic| Err(Failure::Event(format!("the handler panicked: {panic}")));
    caught(work).await.unwrap_or_else(panicked)
}

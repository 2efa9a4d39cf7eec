//! One instance and one feed: it stands by until the feed is its own, then follows it until it is
//! not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use app::{Common, Live, Timestamp, pause, with_causes};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::attempt::Attempts;
use super::cursor::{Cursor, Cursors, LEASE};
use super::parked::{Lot, Parked};
use super::reader::{Read, Reader, Reading};
use super::status::Status;
use super::{Handle, Interrupted, Points};
use crate::{Event, Failure};

/// How often the lease is extended, and what others may have changed is looked at.
const BEAT: Duration = Duration::from_millis(600);
/// Shortest time between two looks at another instance's lease.
const LOOK: Duration = Duration::from_millis(20);
/// The pause after an interruption: it doubles from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often an event may ask to be taken later. Whatever it waits for does not come then, and
/// others wait behind it.
const LATER_TRIES: u32 = 20;
/// How long a farewell may take: the lease ends without it as well.
const FAREWELL: Duration = Duration::from_millis(500);

/// Follows one feed.
pub(super) struct Follower {
    pub(super) cursors: Cursors,
    pub(super) lot: Lot,
    pub(super) reader: Reader,
    pub(super) handler: Arc<dyn Handle>,
    pub(super) attempts: Attempts,
    pub(super) points: Points,
    pub(super) status: Arc<Status>,
    pub(super) common: Live<Common>,
    /// An operator of this instance has changed something.
    pub(super) nudge: Arc<Notify>,
    /// Attempts that no row tells of, by the event's id.
    pub(super) tries: BTreeMap<String, u32>,
}

/// Where an instance is in a feed that it follows.
pub(super) struct Place {
    /// Of the last event that was passed, as the store has it.
    pub(super) at: i64,
    /// The next events.
    pub(super) hand: VecDeque<Event>,
    /// Nothing is taken before this.
    pub(super) held_until: Option<Instant>,
}

/// What is to become of an event that was not handled.
pub(super) enum Verdict {
    /// It is put aside, for this reason.
    Aside(String),
    /// It stays where it is until then.
    Held(Instant),
}

impl Follower {
    /// Follows the feed whenever no other instance does, until `stopping` fires.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        let cursors = self.cursors.clone();
        stopping.run_until_cancelled(self.turns()).await;
        // The next instance need not wait for the lease's end.
        let _ = tokio::time::timeout(FAREWELL, cursors.release()).await;
    }

    async fn turns(&mut self) {
        let feed = self.cursors.feed;
        let mut failures = 0;
        loop {
            let begun = Instant::now();
            let Err(why) = self.turn().await;
            // A turn of some length is none of a series of failures.
            failures = if begun.elapsed() > LONGEST_PAUSE {
                1
            } else {
                failures + 1
            };
            let reason = with_causes(&why);
            if !matches!(why, Interrupted::Fenced) {
                self.tell().await;
            }
            match why {
                Interrupted::Fenced => tracing::debug!(feed, "the feed is followed elsewhere"),
                _ if failures == 1 => tracing::warn!(feed, reason, "the feed is taken up anew"),
                _ => tracing::debug!(feed, reason, "the feed is taken up anew"),
            }
            sleep(pause(failures, FIRST_PAUSE, LONGEST_PAUSE)).await;
        }
    }

    /// Keeps what is known of the feed's end, although nothing is taken of it: turns that fail at
    /// once have no time for a beat. What hinders them may hinder this as well.
    async fn tell(&self) {
        let known = self.status.known();
        let told = self.cursors.tell(known.head, known.behind_since).await;
        if let Err(error) = told {
            let (feed, error) = (self.cursors.feed, with_causes(&error));
            tracing::debug!(feed, error, "how far the feed is cannot be written");
        }
    }

    async fn turn(&mut self) -> Result<std::convert::Infallible, Interrupted> {
        let cursor = self.standing_by().await?;
        self.following(cursor).await
    }

    /// Waits until no other instance follows the feed.
    async fn standing_by(&self) -> Result<Cursor, Interrupted> {
        let cursors = &self.cursors;
        loop {
            if let Some(cursor) = cursors.take().await? {
                self.learn(&cursor).await?;
                return Ok(cursor);
            }
            let Some(cursor) = cursors.read().await? else {
                cursors.born().await?;
                continue;
            };
            self.learn(&cursor).await?;
            let now = Timestamp::now().micros();
            let left = cursor.lease_until.micros().saturating_sub(now);
            let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
            sleep(left.clamp(LOOK, LEASE)).await;
        }
    }

    /// Takes over what the store knows.
    async fn learn(&self, cursor: &Cursor) -> Result<(), Interrupted> {
        let parked = self.lot.counts(self.cursors.feed).await?;
        self.status.read(cursor, parked);
        Ok(())
    }

    /// Handles events for as long as the feed is this instance's.
    async fn following(&mut self, cursor: Cursor) -> Result<std::convert::Infallible, Interrupted> {
        let mut place = Place {
            at: cursor.position,
            hand: VecDeque::new(),
            held_until: None,
        };
        let mut reading = match cursor.stalled {
            None => Some(self.reader.clone().start(cursor.event_id)),
            Some(_) => None,
        };
        let nudge = Arc::clone(&self.nudge);
        let mut beat = Instant::now() + BEAT;
        loop {
            if beat <= Instant::now() {
                self.beat(&place).await?;
                beat = Instant::now() + BEAT;
            }
            if let Some(until) = place.held_until.filter(|until| *until > Instant::now()) {
                tokio::select! {
                    () = sleep_until(until.min(beat)) => {}
                    () = nudge.notified() => {
                        place.held_until = None;
                        beat = Instant::now();
                    }
                }
                continue;
            }
            place.held_until = None;

            let parked = self.next_parked().await?;
            let due = parked.as_ref().map(|parked| until(parked.next_at));
            let is_due = due.is_some_and(|due| due <= Instant::now());
            if let Some(parked) = parked.filter(|_| is_due) {
                self.retry(&mut place, parked).await?;
            }
            if place.hand.is_empty()
                && let Some(read) = reading.as_mut().and_then(Reading::ready)
            {
                self.take(&mut place, &mut reading, read).await?;
            }
            if place.held_until.is_some() {
                continue;
            }
            if !place.hand.is_empty() {
                self.apply(&mut place).await?;
                continue;
            }
            if is_due {
                continue;
            }
            tokio::select! {
                read = next(&mut reading) => self.take(&mut place, &mut reading, read).await?,
                () = sleep_until(due.map_or(beat, |due| due.min(beat))) => {}
                () = nudge.notified() => beat = Instant::now(),
            }
        }
    }

    async fn next_parked(&self) -> Result<Option<Parked>, Interrupted> {
        if !self.status.known().parked.any() {
            return Ok(None);
        }
        Ok(self.lot.next(self.cursors.feed).await?)
    }

    /// Extends the lease, and finds out what others did.
    async fn beat(&self, place: &Place) -> Result<(), Interrupted> {
        let row = self.cursors.take().await?.ok_or(Interrupted::Fenced)?;
        let known = self.status.known();
        if row.position != place.at || row.stalled != known.stalled {
            return Err(Interrupted::Fenced);
        }
        if (row.head, row.behind_since) != (known.head, known.behind_since) {
            self.cursors.tell(known.head, known.behind_since).await?;
        }
        let parked = self.lot.counts(self.cursors.feed).await?;
        self.status.parked(parked);
        Ok(())
    }

    /// Takes into its hand what was read.
    async fn take(
        &self,
        place: &mut Place,
        reading: &mut Option<Reading>,
        read: Read,
    ) -> Result<(), Interrupted> {
        match read {
            Read::Events(events) => {
                let mut last = place.at;
                place.hand.extend(events.into_iter().filter(|event| {
                    let follows = event.position > last;
                    last = last.max(event.position);
                    follows
                }));
                self.moved(place, None);
            }
            Read::Truncated => {
                let feed = self.cursors.feed;
                let why = format!("events of {feed} behind position {} are gone", place.at);
                self.cursors.stall(place.at, &why).await?;
                self.status.stalled(&why);
                *reading = None;
                tracing::error!(
                    feed,
                    position = place.at,
                    "the feed stalls: events are gone"
                );
            }
        }
        Ok(())
    }

    /// Tells how far it is; the last event that was passed was published at `passed`.
    pub(super) fn moved(&self, place: &Place, passed: Option<Timestamp>) {
        let next = place.hand.front().map(|event| event.time);
        // What follows it is not read yet, and not older.
        let behind = self.status.known().head > place.at;
        self.status
            .moved(place.at, next.or(passed).filter(|_| behind));
    }

    /// What becomes of an event that was not handled in the attempt `number`.
    pub(super) fn judge(&mut self, event: &Event, number: u32, failure: Failure) -> Verdict {
        let reason = match failure {
            Failure::Event(reason) => return Verdict::Aside(reason),
            Failure::Later(reason) => reason,
        };
        let tries = self.tries.entry(event.id.clone()).or_default();
        *tries += 1;
        if *tries >= LATER_TRIES {
            return Verdict::Aside(reason);
        }
        let pause = self.pause(number);
        let (feed, id) = (self.cursors.feed, &*event.id);
        tracing::warn!(
            feed,
            event = id,
            number,
            reason,
            "the feed waits for an event"
        );
        Verdict::Held(Instant::now() + pause)
    }

    /// The pause after so many attempts.
    pub(super) fn pause(&self, attempts: u32) -> Duration {
        let common = self.common.load();
        let first = Duration::from_millis(common.events_backoff_ms);
        let longest = Duration::from_millis(common.events_backoff_max_ms);
        pause(attempts, first, longest)
    }
}

/// The next of a feed, which may be none that is read.
async fn next(reading: &mut Option<Reading>) -> Read {
    match reading {
        Some(reading) => reading.next().await,
        None => std::future::pending().await,
    }
}

/// The moment on the clock that timers go by.
fn until(moment: Timestamp) -> Instant {
    let micros = moment.micros().saturating_sub(Timestamp::now().micros());
    Instant::now() + Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

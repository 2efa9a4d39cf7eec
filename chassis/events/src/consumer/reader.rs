//! Reads a producer's feed ahead of whoever handles its events.

use std::sync::Arc;
use std::time::Duration;

use app::pause;
use calls::{CallError, CallErrorKind, Client};
use faults::{Around, Injected};
use http::StatusCode;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::status::Status;
use crate::Event;
use crate::feed::HEAD;

/// How long an answer is held back where there is nothing to read. The edge's deadline is longer.
const WAIT: Duration = Duration::from_secs(10);
/// Most events of a batch.
const LIMIT: usize = 512;
/// How often the feed's end is looked at while nothing more is taken from it.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after a failed poll: it doubles from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The next of a feed.
#[derive(Debug)]
pub(super) enum Read {
    /// In their order; at least one.
    Events(Vec<Event>),
    /// Events behind the cursor are gone.
    Truncated,
}

/// How a feed is asked.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) client: Client,
    pub(super) send: Around,
    pub(super) status: Arc<Status>,
}

/// A feed that is being read: one batch ahead, and no more. Dropped, it is not.
pub(super) struct Reading {
    batches: mpsc::Receiver<Read>,
    task: JoinHandle<()>,
}

impl Reading {
    /// The next batch; waits for ever once the feed was truncated.
    pub(super) async fn next(&mut self) -> Read {
        match self.batches.recv().await {
            Some(read) => read,
            None => std::future::pending().await,
        }
    }

    /// The next batch, if it is there.
    pub(super) fn ready(&mut self) -> Option<Read> {
        self.batches.try_recv().ok()
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a poll brought nothing.
#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("answered {0}")]
    Status(StatusCode),
    #[error("the answer makes no sense: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("events after the last one that was read are gone")]
    Truncated,
    #[error(transparent)]
    Injected(#[from] Injected),
}

impl Reader {
    /// Reads on behind the event with this id; from the oldest that is kept if there is none.
    pub(super) fn start(self, after: Option<String>) -> Reading {
        let (sender, batches) = mpsc::channel(1);
        let task = tokio::spawn(self.run(after, sender));
        Reading { batches, task }
    }

    async fn run(self, mut after: Option<String>, batches: mpsc::Sender<Read>) {
        loop {
            // Nothing is asked for before there is room for it.
            let room = loop {
                tokio::select! {
                    room = batches.reserve() => break room,
                    () = sleep(LOOK) => self.look(after.as_deref()).await,
                }
            };
            let Ok(room) = room else { return };
            match self.some(after.as_deref()).await {
                Some(events) => {
                    after = events.last().map(|last| last.id.clone()).or(after);
                    room.send(Read::Events(events));
                }
                None => {
                    room.send(Read::Truncated);
                    return;
                }
            }
        }
    }

    /// The next events, however long that takes; none if they are gone.
    async fn some(&self, after: Option<&str>) -> Option<Vec<Event>> {
        let (feed, mut limit, mut failures) = (self.status.feed, LIMIT, 0_u32);
        loop {
            match self.poll(after, limit, WAIT).await {
                Ok(events) => {
                    if failures > 0 {
                        tracing::info!(feed, failures, "the feed answers again");
                    }
                    failures = 0;
                    if !events.is_empty() {
                        return Some(events);
                    }
                    continue;
                }
                Err(PollError::Truncated) => return None,
                Err(error) => {
                    if let PollError::Call(error) = &error
                        && error.kind == CallErrorKind::Answer
                    {
                        // It may be too much at once.
                        limit = (limit / 2).max(1);
                    }
                    // Once an outage: the lag says how long it lasts.
                    if failures == 0 {
                        let error = app::with_causes(&error);
                        tracing::warn!(feed, error, "the feed cannot be read; trying on");
                    }
                    failures = failures.saturating_add(1);
                }
            }
            sleep(pause(failures, FIRST_PAUSE, LONGEST_PAUSE)).await;
        }
    }

    /// Hears how far the feed is, without taking anything from it.
    async fn look(&self, after: Option<&str>) {
        // What is wrong is said where events are read.
        let _ = self.poll(after, 1, Duration::ZERO).await;
    }

    async fn poll(
        &self,
        after: Option<&str>,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Event>, PollError> {
        let (limit, wait) = (limit.to_string(), wait.as_millis().to_string());
        let mut query = vec![("limit", &*limit), ("timeout", &*wait)];
        query.extend(after.map(|id| ("lastEventId", id)));
        let call = self.client.get("/inner/v1/feed", "/inner/v1/feed");
        let call = call.query(&query);
        let sent = async { Ok::<_, PollError>(call.send().await?) };
        let answer = self.send.pass(sent).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::GONE => return Err(PollError::Truncated),
            other => return Err(PollError::Status(other)),
        }
        let head = answer.headers.get(HEAD);
        let head = head.and_then(|head| head.to_str().ok()?.parse().ok());
        if let Some(head) = head {
            self.status.heard(head);
        }
        Ok(answer.json()?)
    }
}

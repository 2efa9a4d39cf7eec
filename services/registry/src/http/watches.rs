//! Watches: event streams that are told of changes, bounded in number and in what they may miss.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use app::{Live, Problem};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::error::Error;
use crate::service::Settings;

/// A quiet stream says so this often: clients take three missing comments for a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Counts the open streams.
pub(crate) struct Watchers {
    settings: Live<Settings>,
    open: AtomicUsize,
}

impl Watchers {
    pub(crate) fn new(settings: Live<Settings>) -> Self {
        Self {
            settings,
            open: AtomicUsize::new(0),
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn admit(self: &Arc<Self>) -> Result<Admitted, Error> {
        let limit = self.settings.load().max_watches;
        let one_more = |open: usize| (open < limit).then_some(open + 1);
        match self
            .open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
        {
            Ok(_) => Ok(Admitted(self.clone())),
            Err(_) => Err(Error::TooManyWatches),
        }
    }
}

/// A place among the watchers, until dropped.
pub(crate) struct Admitted(Arc<Watchers>);

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream of what `look` sees: at once, and again whenever the bell rings and it sees something
/// new. Nothing is queued: whoever reads slowly is sent the latest state when it reads on.
pub(crate) fn stream<L>(
    admitted: Admitted,
    stopping: CancellationToken,
    bell: watch::Receiver<u64>,
    look: L,
) -> Response
where
    L: FnMut() -> Option<Event> + Send + 'static,
{
    let events = stream::unfold((admitted, bell, look, true), |state| async move {
        let (admitted, mut bell, mut look, mut at_once) = state;
        loop {
            if !std::mem::take(&mut at_once) && bell.changed().await.is_err() {
                return None;
            }
            bell.mark_unchanged();
            if let Some(event) = look() {
                return Some((Ok::<_, Infallible>(event), (admitted, bell, look, false)));
            }
        }
    });
    let until_stopped = events.take_until(stopping.cancelled_owned());
    Sse::new(until_stopped)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}

/// An event whose data is JSON.
pub(crate) fn event(name: &str, data: &impl Serialize) -> Event {
    match serde_json::to_string(data) {
        Ok(json) => Event::default().event(name).data(json),
        Err(error) => {
            let _logged = Problem::internal(error);
            Event::default().comment("this event could not be written")
        }
    }
}

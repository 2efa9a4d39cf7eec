use std::sync::Arc;
use std::time::{Duration, Instant};

use app::with_causes;
use events::{Batch, Outbox, Position, ReadError};
use tokio::sync::Mutex;

use super::{Index, IndexError};
use crate::events::ProductChanged;
use crate::metrics::Metrics;
use crate::store::{Store, StoreFailure};

/// Changes taken in at once; bounds the memory of a first build.
const BATCH: i64 = 500;

/// Events read at once.
const EVENTS: usize = 500;

/// How long to wait for the next event before asking anew.
const WAIT: Duration = Duration::from_secs(30);

/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Why the index could not catch up.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreFailure),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("indexing stopped half-way")]
    Stopped(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Keeps the index at the rows' last revision.
///
/// An event says that there is something to take in; what it is, the rows say. So nothing is lost
/// when the outbox no longer has the events: every change since is in the rows, deletions as
/// tombstones.
pub(crate) struct Follower {
    index: Arc<Index>,
    store: Store,
    metrics: Metrics,
    seen: Mutex<Seen>,
}

/// How far the index is.
struct Seen {
    /// The last revision taken in.
    revision: i64,
    /// When index and rows last agreed.
    agreed: Instant,
}

impl Follower {
    pub(crate) fn new(index: Arc<Index>, store: Store, metrics: Metrics) -> Self {
        Self {
            index,
            store,
            metrics,
            seen: Mutex::new(Seen {
                revision: 0,
                agreed: Instant::now(),
            }),
        }
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Takes in every change committed before the call: called after an edit, it makes the edit
    /// visible.
    ///
    /// # Errors
    /// The store or the index failed; the next call goes on where this one stopped.
    pub(crate) async fn catch_up(&self) -> Result<(), FollowError> {
        let mut seen = self.seen.lock().await;
        let caught_up = self.take_in(&mut seen.revision).await;
        if caught_up.is_ok() {
            seen.agreed = Instant::now();
        }
        self.metrics.followed(self.index.documents(), seen.agreed);
        caught_up
    }

    async fn take_in(&self, revision: &mut i64) -> Result<(), FollowError> {
        loop {
            let changes = self.store.changes(*revision, BATCH).await?;
            let Some(last) = changes.last().map(|change| change.revision) else {
                return Ok(());
            };
            let categories = self.store.categories().await?;
            let index = Arc::clone(&self.index);
            let apply = move || index.apply(&changes, &categories);
            tokio::task::spawn_blocking(apply).await??;
            *revision = last;
        }
    }

    /// Gives back what only writing needs, until the next change.
    ///
    /// # Errors
    /// The index failed.
    pub(crate) async fn rest(&self) -> Result<(), FollowError> {
        let index = Arc::clone(&self.index);
        Ok(tokio::task::spawn_blocking(move || index.rest()).await??)
    }

    /// Follows the changes that are told of behind `after`, for ever.
    pub(crate) async fn run(&self, outbox: Outbox, mut after: Position) {
        let mut lags = false;
        loop {
            let failure = self.follow(&outbox, &mut after).await.err();
            // Said once at each turn; the metric says how long it lasts.
            match &failure {
                Some(error) if !lags => {
                    tracing::warn!(error = with_causes(error), "search index lags");
                }
                None if lags => tracing::info!("search index has caught up"),
                _ => {}
            }
            lags = failure.is_some();
            if lags {
                self.show_lag().await;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Waits for the next events and takes in what they tell of. `after` moves only when that is
    /// done.
    async fn follow(&self, outbox: &Outbox, after: &mut Position) -> Result<(), FollowError> {
        let end = match outbox.read(*after, EVENTS, WAIT).await {
            Ok(batch) => {
                if self.is_news(&batch).await {
                    self.catch_up().await?;
                }
                batch.end(*after)
            }
            Err(ReadError::Truncated) => {
                // Before the rows are read: what is told of later is read from the outbox.
                let head = outbox.head().await.map_err(StoreFailure::from)?;
                self.catch_up().await?;
                head
            }
            Err(error) => return Err(error.into()),
        };
        *after = end;
        Ok(())
    }

    /// Whether a change is told of that is not in the index: an edit made here is there before
    /// its event.
    async fn is_news(&self, batch: &Batch) -> bool {
        let seen = self.seen.lock().await.revision;
        let mut changes = batch
            .events
            .iter()
            .filter(|event| event.is::<ProductChanged>());
        changes.any(|event| match event.data::<ProductChanged>() {
            Ok(changed) => changed.revision > seen,
            // A newer replica's, perhaps: the rows know.
            Err(_) => true,
        })
    }

    async fn show_lag(&self) {
        let agreed = self.seen.lock().await.agreed;
        self.metrics.followed(self.index.documents(), agreed);
    }
}

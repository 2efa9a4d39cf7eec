use std::sync::Arc;
use std::time::{Duration, Instant};

use app::with_causes;
use tokio::sync::Mutex;

use super::{Index, IndexError};
use crate::metrics::Metrics;
use crate::store::{Store, StoreFailure};

/// Changes taken in at once; bounds the memory of a first build.
const BATCH: i64 = 500;

/// Why the index could not catch up.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error(transparent)]
    Store(#[from] StoreFailure),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("indexing stopped half-way")]
    Stopped(#[from] tokio::task::JoinError),
}

/// Keeps the index at the rows' last revision.
pub(crate) struct Follower {
    index: Arc<Index>,
    store: Store,
    metrics: Metrics,
    /// The last revision taken in, and when index and rows last agreed.
    seen: Mutex<(i64, Instant)>,
}

impl Follower {
    pub(crate) fn new(index: Arc<Index>, store: Store, metrics: Metrics) -> Self {
        Self {
            index,
            store,
            metrics,
            seen: Mutex::new((0, Instant::now())),
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
        let caught_up = self.take_in(&mut seen.0).await;
        if caught_up.is_ok() {
            seen.1 = Instant::now();
        }
        self.metrics.followed(self.index.documents(), seen.1);
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

    /// Catches up for ever: other replicas edit the same rows, and SQLite tells nobody.
    pub(crate) async fn run(&self, interval: impl Fn() -> Duration) {
        let mut lags = false;
        loop {
            tokio::time::sleep(interval()).await;
            let failure = self.catch_up().await.err();
            // Said once at each turn; the metric says how long it lasts.
            match &failure {
                Some(error) if !lags => {
                    tracing::warn!(error = with_causes(error), "search index lags");
                }
                None if lags => tracing::info!("search index has caught up"),
                _ => {}
            }
            lags = failure.is_some();
        }
    }
}

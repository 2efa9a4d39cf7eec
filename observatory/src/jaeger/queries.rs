//! Searches, a few at a time, off the threads that serve connections.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinError;

use super::query::Search;
use crate::store::{Snapshot, Store};

/// A search by attributes may read the whole store; more of them at once would only take each
/// other's time, and the receivers'.
const AT_ONCE: usize = 4;

/// What the routes ask.
#[derive(Debug, Clone)]
pub(crate) struct Queries {
    pub(crate) store: Arc<Store>,
    permits: Arc<Semaphore>,
}

impl Queries {
    pub(crate) fn of(store: Arc<Store>) -> Self {
        Queries {
            store,
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Runs a search and what is made of its result.
    pub(crate) async fn search<T: Send + 'static>(
        &self,
        search: Search,
        then: impl FnOnce(Vec<Snapshot>) -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // The semaphore is never closed; without a permit the search would run all the same.
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let store = Arc::clone(&self.store);
        tokio::task::spawn_blocking(move || {
            // Kept to the end of the work: it goes on when the client has gone.
            let _permit = permit;
            then(search.run(&store))
        })
        .await
    }
}

//! Gives back connections that are no longer needed: each is a thread and a page cache.
//!
//! The pool's own maintenance is not asked to: sqlx 0.9.0 counts idle connections in two steps, and
//! where its task looks between the two the count is below zero, which is as many as there can be:
//! it then goes round for ever, and a thread of the runtime with it.

use std::time::Duration;

use sqlx::AnyPool;
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// How often one connection goes, as long as there is more than one and it is idle.
const EACH: Duration = Duration::from_secs(10);

/// Ends the giving back when it is dropped.
#[derive(Debug)]
pub(super) struct Idle(AbortHandle);

impl Idle {
    pub(super) fn give_back(pool: &AnyPool) -> Self {
        let pool = pool.clone();
        let task = tokio::spawn(async move {
            while !pool.is_closed() {
                sleep(EACH).await;
                if pool.size() > 1
                    && let Some(one) = pool.try_acquire()
                {
                    // It is gone either way.
                    let _ = one.close().await;
                }
            }
        });
        Self(task.abort_handle())
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.0.abort();
    }
}

//! A pool of connections.

use crate::core::Alive;
use crate::metrics::{LabelValue, PoolState, WorkHistogram};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A pool of connections whose state is asked for while this is held: see
/// [`Database::pool`](super::Database::pool). Cloning it is cheap.
///
/// The metrics are those of the
/// [convention](https://opentelemetry.io/docs/specs/semconv/db/database-metrics/#connection-pools):
/// `db.client.connection.count`, `.max`, `.idle.max`, `.idle.min`, `.pending_requests` as the pool
/// itself tells them, `.timeouts`, `.create_time`, `.wait_time` and `.use_time` as they are told
/// here.
#[derive(Clone)]
pub struct Pool {
    core: Arc<Alive>,
    name: Arc<str>,
    _state: Arc<dyn Fn() -> PoolState + Send + Sync>,
}

impl Pool {
    pub(super) fn new(
        core: &Arc<Alive>,
        name: &str,
        state: impl Fn() -> PoolState + Send + Sync + 'static,
    ) -> Pool {
        let name: Arc<str> = name.into();
        let state: Arc<dyn Fn() -> PoolState + Send + Sync> = Arc::new(state);
        core.metrics.work.pools.watch(&name, &state);
        Pool {
            core: Arc::clone(core),
            name,
            _state: state,
        }
    }

    fn label(&self) -> [LabelValue; 1] {
        [Arc::clone(&self.name).into()]
    }

    fn record(&self, histogram: &WorkHistogram, time: Duration) {
        histogram.record(&self.label(), time.as_secs_f64(), None);
    }

    /// Somebody waited for a connection and got none in time.
    pub fn timed_out(&self) {
        self.core.metrics.work.pools.timeouts.add(&self.label(), 1);
    }

    /// A connection was made, which took this long.
    pub fn created(&self, time: Duration) {
        self.record(&self.core.metrics.work.pools.create_time, time);
    }

    /// Somebody got a connection after waiting for this long.
    pub fn waited(&self, time: Duration) {
        self.record(&self.core.metrics.work.pools.wait_time, time);
    }

    /// A connection came back, after it was in use for this long.
    pub fn used(&self, time: Duration) {
        self.record(&self.core.metrics.work.pools.use_time, time);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

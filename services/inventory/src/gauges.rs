//! Keeps the gauges at what the store holds.

use std::time::Duration;

use crate::metrics::Metrics;
use crate::store::Store;

/// At most this often; many changes are one look.
const LEAST: Duration = Duration::from_secs(1);
/// At least this often: SQLite tells nobody what other instances change.
const MOST: Duration = Duration::from_secs(30);

/// Looks after each change of this instance, and now and then.
pub(crate) async fn run(store: Store, metrics: Metrics) {
    loop {
        match store.holds().await {
            Ok(holds) => metrics.holds(holds),
            Err(error) => {
                tracing::warn!(error = app::with_causes(&error), "gauges are out of date");
            }
        }
        tokio::time::sleep(LEAST).await;
        // Whether there was a change or time is up, the next thing is to look.
        let _ = tokio::time::timeout(MOST, store.changed()).await;
    }
}

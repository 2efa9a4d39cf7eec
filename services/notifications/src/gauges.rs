//! Keeps the gauges at what the store holds, also while a mail server hangs.

use std::time::Duration;

use crate::metrics::Metrics;
use crate::store::Store;

/// The gauges are never older than this and the look itself.
const LOOK: Duration = Duration::from_secs(1);

/// Looks for ever.
pub(crate) async fn run(store: Store, metrics: Metrics) {
    loop {
        match store.outgoing().await {
            Ok(outgoing) => metrics.looked(outgoing.unsent, outgoing.oldest),
            Err(error) => {
                tracing::warn!(error = app::with_causes(&error), "gauges are out of date");
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

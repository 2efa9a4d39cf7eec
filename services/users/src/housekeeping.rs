//! Clears away sessions and refresh tokens that have expired.

use std::time::Duration;

use app::with_causes;
use tokio_util::sync::CancellationToken;

use crate::domain::Timestamp;
use crate::store::Store;

const PERIOD: Duration = Duration::from_secs(600);

/// Sweeps now and then until `stopping` fires.
pub(crate) async fn sweep(store: Store, stopping: CancellationToken) {
    loop {
        match store.sweep(Timestamp::now()).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "expired sessions and tokens cleared away"),
            Err(error) => tracing::warn!(error = with_causes(&error), "nothing was cleared away"),
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

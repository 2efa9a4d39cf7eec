//! Removes carts that nobody has touched for long.

use std::time::Duration;

use app::{Live, Timestamp, with_causes};
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::store::Store;

/// Sweeps now and then until `stopping` fires.
pub(crate) async fn sweep(store: Store, mut settings: Live<Settings>, stopping: CancellationToken) {
    let rounds = async {
        loop {
            let now = settings.load();
            match store.sweep(Timestamp::now(), now.ttl()).await {
                Ok(0) => {}
                Ok(carts) => tracing::info!(carts, "expired carts removed"),
                Err(error) => tracing::warn!(error = with_causes(&error), "carts were not swept"),
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(now.sweep_interval_ms)) => {}
                _ = settings.changed() => {}
            }
        }
    };
    // Each commit is whole: a sweep may end between any two.
    stopping.run_until_cancelled(rounds).await;
}

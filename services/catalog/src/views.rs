//! Who looks at what: told to others, but never on the way of the request that looks.
//!
//! A look waits in memory for the next flush, where many share a commit. It is best effort: what
//! does not fit, or is there when the process dies, is not told of. What is dropped is counted.

use std::time::Duration;

use app::with_causes;
use telemetry::Telemetry;
use telemetry::context::{self, SpanContext};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::events::ProductViewed;
use crate::metrics::{Metrics, Viewed};
use crate::store::Store;

/// Looks that share one commit.
const BATCH: usize = 256;

/// Somebody looked at a product.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) seen: ProductViewed,
    /// The request that looked, of whose trace what follows from it is a part.
    pub(crate) request: SpanContext,
}

/// Where looks are left.
#[derive(Debug, Clone)]
pub(crate) struct Views {
    waiting: mpsc::Sender<View>,
    metrics: Metrics,
}

/// Publishes what was left.
pub(crate) struct Publisher {
    waiting: mpsc::Receiver<View>,
    store: Store,
    metrics: Metrics,
    telemetry: Telemetry,
}

/// Both ends of a buffer for at most `room` looks.
pub(crate) fn buffer(
    room: usize,
    store: Store,
    metrics: Metrics,
    telemetry: Telemetry,
) -> (Views, Publisher) {
    let (sender, receiver) = mpsc::channel(room);
    let views = Views {
        waiting: sender,
        metrics: metrics.clone(),
    };
    let publisher = Publisher {
        waiting: receiver,
        store,
        metrics,
        telemetry,
    };
    (views, publisher)
}

impl Views {
    /// A member looks at a product, in the current request. Takes no time.
    pub(crate) fn saw(&self, product_id: Uuid, viewer: &str) {
        let view = View {
            seen: ProductViewed {
                product_id,
                viewer: viewer.to_owned(),
            },
            request: context::current().unwrap_or_default(),
        };
        match self.waiting.try_send(view) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.metrics.viewed(Viewed::Full, 1),
            Err(TrySendError::Closed(_)) => self.metrics.viewed(Viewed::Stopping, 1),
        }
    }
}

impl Publisher {
    /// Publishes until the service stops, and then what is left.
    pub(crate) async fn run(
        mut self,
        interval: impl Fn() -> Duration,
        stopping: CancellationToken,
    ) {
        let mut batch = Vec::new();
        while !stopping.is_cancelled() {
            let more = self.waiting.recv_many(&mut batch, BATCH);
            if stopping.run_until_cancelled(more).await.is_some() {
                self.publish(&mut batch).await;
                // Those who look meanwhile share the next commit.
                stopping
                    .run_until_cancelled(tokio::time::sleep(interval()))
                    .await;
            }
        }
        self.waiting.close();
        while self.waiting.recv_many(&mut batch, BATCH).await > 0 {
            self.publish(&mut batch).await;
        }
    }

    async fn publish(&self, batch: &mut Vec<View>) {
        let outcome = match self.store.publish_views(batch, &self.telemetry).await {
            Ok(()) => Viewed::Published,
            Err(error) => {
                tracing::warn!(
                    views = batch.len(),
                    error = with_causes(&error),
                    "views are not published"
                );
                Viewed::Failed
            }
        };
        self.metrics.viewed(outcome, batch.len());
        batch.clear();
    }
}

//! What waits in the outbox, for the metrics: seen even where positions cannot be given.

use std::time::Duration;

use app::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::Outbox;

const EACH: Duration = Duration::from_secs(1);

pub(crate) async fn run(outbox: Outbox, stopping: CancellationToken) {
    let looks = async {
        loop {
            match outbox.store().waiting().await {
                Ok(waiting) => {
                    let age = waiting.oldest.map_or(0.0, seconds_since);
                    outbox.metrics().waiting(waiting.events, age);
                }
                Err(error) => {
                    let error = app::with_causes(&error);
                    tracing::debug!(error, "the outbox cannot be counted");
                }
            }
            tokio::time::sleep(EACH).await;
        }
    };
    stopping.run_until_cancelled(looks).await;
}

/// How long ago that was; zero for a moment to come.
pub(crate) fn seconds_since(moment: Timestamp) -> f64 {
    let micros = Timestamp::now().micros().saturating_sub(moment.micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64()
}

//! Old events go: by age, and by how much there is room for.

use std::time::Duration;

use app::{Common, Live, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::Outbox;
use crate::points::Points;
use crate::store::{CHUNK, Failed};

/// How often it is looked for old events.
const EACH: Duration = Duration::from_secs(5);

/// Takes old events away until the service stops. Only what has a position can go: what nobody
/// could read yet stays.
pub(crate) async fn run(
    outbox: Outbox,
    points: Points,
    common: Live<Common>,
    stopping: CancellationToken,
) {
    let rounds = async {
        loop {
            if let Err(error) = round(&outbox, &points, &common.load()).await {
                let error = app::with_causes(&error);
                tracing::warn!(error, "old events cannot be taken away; trying on");
            }
            tokio::time::sleep(EACH).await;
        }
    };
    stopping.run_until_cancelled(rounds).await;
}

async fn round(outbox: &Outbox, points: &Points, common: &Common) -> Result<(), Failed> {
    let hours = common.events_retention_hours;
    let kept = i64::try_from(hours.saturating_mul(3_600_000_000)).unwrap_or(i64::MAX);
    let before = Timestamp::from_micros(Timestamp::now().micros().saturating_sub(kept));
    let most = i64::try_from(common.events_retention_mib.saturating_mul(1 << 20));
    let most = most.unwrap_or(i64::MAX);
    loop {
        let store = outbox.store();
        let gone = store.truncate(before, most, &points.retention).await?;
        if i64::try_from(gone).unwrap_or(i64::MAX) < CHUNK {
            return Ok(());
        }
    }
}

//! Gives positions to what is committed.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::Outbox;
use crate::points::Points;
use crate::store::{CHUNK, Failed, Waiting};

/// How long a commit of another process can stay unseen.
const POLL: Duration = Duration::from_millis(100);

/// Shortest time between two rounds. The first commit after a silence is numbered at once; of many
/// in a row each does not cost a second commit.
const PACE: Duration = Duration::from_millis(15);

/// Numbers for all who wait in this process, until the service stops.
pub(crate) async fn run(outbox: Outbox, points: Points, stopping: CancellationToken) {
    let rounds = async {
        let mut failing = false;
        loop {
            // A commit of this process, or time to look for those of others.
            let _ = timeout(POLL, outbox.committed()).await;
            let paced = Instant::now() + PACE;
            match round(&outbox, &points).await {
                Ok(()) => failing = false,
                Err(error) => {
                    // Once an outage: it is tried ten times a second.
                    if !failing {
                        let error = app::with_causes(&error);
                        tracing::warn!(error, "events cannot be given positions; trying on");
                    }
                    failing = true;
                }
            }
            sleep_until(paced).await;
        }
    };
    stopping.run_until_cancelled(rounds).await;
}

async fn round(outbox: &Outbox, points: &Points) -> Result<(), Failed> {
    let store = outbox.store();
    // A read is cheap, and needs no turn among the writers.
    let (seen, waiting) = store.look().await?;
    outbox.metrics().waiting(waiting);
    let mut head = seen.position;
    let mut more = waiting.events > 0;
    while more {
        let numbered;
        (numbered, head) = store.number(&points.numbering).await?;
        outbox.has_head(head);
        more = numbered == CHUNK.unsigned_abs();
        if !more {
            outbox.metrics().waiting(Waiting::default());
        }
    }
    // Another process may have numbered.
    outbox.has_head(head);
    Ok(())
}

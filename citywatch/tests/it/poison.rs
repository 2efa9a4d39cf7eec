//! Consumers that refuse events now and then, as a handler would that is wrong.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::harness::City;

/// A process, whose events it refuses, and the share of them.
pub(crate) type Refusal = (&'static str, &'static str, f64);

/// A process that has come back is told again.
const EACH: Duration = Duration::from_secs(1);

/// For ever, whatever dies meanwhile.
pub(crate) async fn refuse(city: &City, refusals: &[Refusal]) {
    loop {
        let tellings = refusals.iter().map(async |(process, feed, share)| {
            let fault = json!({
                "action": "error", "io": "reset", "probability": share, "lease_ms": 60_000,
            });
            city.arm(process, &point(feed), &fault).await
        });
        join_all(tellings).await;
        tokio::time::sleep(EACH).await;
    }
}

/// No more.
pub(crate) async fn heal(city: &City, refusals: &[Refusal]) {
    for (process, feed, _) in refusals {
        city.disarm(process, &point(feed)).await;
    }
}

/// Where an error is the event's own.
fn point(feed: &str) -> String {
    format!("{feed}.effect")
}

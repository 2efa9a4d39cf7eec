//! Gives back what was held for too long, when its time has come.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use app::{Live, Timestamp};

use crate::Settings;
use crate::metrics::Metrics;
use crate::store::{Failure, Store};

/// How long a sweep that failed waits for the next try.
const RETRY: Duration = Duration::from_secs(1);

/// Tells the time. A test tells another.
pub(crate) trait Clock {
    fn now(&self) -> Timestamp;

    /// Ends at `moment`, or later.
    fn until(&self, moment: Timestamp) -> impl Future<Output = ()> + Send;
}

/// The machine's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn until(&self, moment: Timestamp) -> impl Future<Output = ()> + Send {
        let micros = moment.micros().saturating_sub(self.now().micros());
        // A timer ticks in milliseconds: one that rings too early would find nothing overdue.
        let wait = Duration::from_micros(u64::try_from(micros).unwrap_or_default());
        tokio::time::sleep(wait + Duration::from_millis(1))
    }
}

/// Sweeps for ever: whenever the first of the reservations expires.
///
/// SQLite tells nobody of the reservations that other instances make, and one of them may die
/// and leave its own to the others. Those that are made after a sweep live for the setting's time
/// from then on, so a look that is no later than that finds each before it expires.
pub(crate) async fn run(
    store: Store,
    metrics: Metrics,
    mut settings: Live<Settings>,
    clock: impl Clock,
) {
    let mut fails = false;
    loop {
        let looked_at = clock.now();
        let outcome = sweep(&store, looked_at).await;
        metrics.swept(&outcome);
        let ttl = Duration::from_millis(settings.load().reservation_ttl_ms);
        let wake = match &outcome {
            Ok(next) => {
                let look_again = looked_at.plus(ttl);
                next.map_or(look_again, |next| next.min(look_again))
            }
            Err(_) => clock.now().plus(RETRY),
        };
        match &outcome {
            // Said once at each turn; the counter says how often.
            Err(error) if !fails => {
                tracing::warn!(
                    error = app::with_causes(error),
                    "reservations do not expire"
                );
            }
            Ok(_) if fails => tracing::info!("reservations expire again"),
            _ => {}
        }
        fails = outcome.is_err();
        tokio::select! {
            () = clock.until(wake) => {}
            // With a shorter time to live, what is held from now on expires sooner.
            _ = settings.changed() => {}
        }
    }
}

/// Gives back what is overdue, and says when there will be more.
async fn sweep(store: &Store, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let expired = store.expire(now).await?;
    if expired > 0 {
        tracing::info!(reservations = expired, "reservations expired");
    }
    store.next_expiry().await
}

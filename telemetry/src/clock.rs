//! When a span begins and ends: read twice a request, so it has to be cheap.
//!
//! The processor's own counter, where it runs steadily, takes half the time that the system's clock
//! takes; elsewhere it is the system's clock. Its rate is measured once, to some millionths: the
//! wall time that it is turned into is set right again and again.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use quanta::Instant;

struct Anchor {
    instant: Instant,
    /// Wall time of `instant`, in nanoseconds since the Unix epoch; moved along when the wall
    /// clock is corrected.
    unix_nanos: AtomicU64,
}

fn unix_nanos() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn anchor() -> &'static Anchor {
    static ANCHOR: OnceLock<Anchor> = OnceLock::new();
    ANCHOR.get_or_init(|| Anchor {
        instant: Instant::now(),
        unix_nanos: AtomicU64::new(unix_nanos()),
    })
}

/// The moment that the system's clock calls `at`.
pub(crate) fn of(at: std::time::Instant) -> Instant {
    let now = Instant::now();
    now.checked_sub(at.elapsed()).unwrap_or(now)
}

/// Nanoseconds since the Unix epoch, now.
pub(crate) fn wall_now() -> u64 {
    wall(Instant::now())
}

/// Nanoseconds since the Unix epoch at `instant`.
pub(crate) fn wall(instant: Instant) -> u64 {
    let anchor = anchor();
    let base = anchor.unix_nanos.load(Ordering::Relaxed);
    match instant.checked_duration_since(anchor.instant) {
        Some(after) => base.saturating_add(nanos(after)),
        None => base.saturating_sub(nanos(anchor.instant.saturating_duration_since(instant))),
    }
}

/// Follows the wall clock; called now and then.
pub(crate) fn adjust() {
    let anchor = anchor();
    let since = nanos(anchor.instant.elapsed());
    anchor
        .unix_nanos
        .store(unix_nanos().saturating_sub(since), Ordering::Relaxed);
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_runs_with_the_instant() {
        let now = Instant::now();
        let at = wall(now);
        assert!(at.abs_diff(unix_nanos()) < 5_000_000_000);
        adjust();
        let later = wall(now + Duration::from_secs(3));
        assert!(later.abs_diff(at + 3_000_000_000) < 1_000_000_000);
    }

    #[test]
    fn it_runs_with_the_clock_of_the_system() {
        let (began, system) = (Instant::now(), std::time::Instant::now());
        std::thread::sleep(Duration::from_millis(50));
        let (took, system) = (began.elapsed(), system.elapsed());
        // Whoever reads two clocks may be interrupted in between.
        assert!(
            took.abs_diff(system) < Duration::from_millis(25),
            "{took:?}"
        );
        let before = of(std::time::Instant::now() - Duration::from_millis(40));
        assert!(before.elapsed() >= Duration::from_millis(40));
    }
}

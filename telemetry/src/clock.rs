//! Wall time of an `Instant`, without asking the wall clock each time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

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

/// Nanoseconds since the Unix epoch at `instant`.
pub(crate) fn wall(instant: Instant) -> u64 {
    let anchor = anchor();
    let base = anchor.unix_nanos.load(Ordering::Relaxed);
    match instant.checked_duration_since(anchor.instant) {
        Some(after) => base.saturating_add(nanos(after)),
        None => base.saturating_sub(nanos(anchor.instant.saturating_duration_since(instant))),
    }
}

/// Follows corrections of the wall clock; called now and then.
pub(crate) fn adjust() {
    let anchor = anchor();
    let since = nanos(anchor.instant.elapsed());
    anchor
        .unix_nanos
        .store(unix_nanos().saturating_sub(since), Ordering::Relaxed);
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn wall_time_runs_with_the_instant() {
        let now = Instant::now();
        let at = wall(now);
        assert!(at.abs_diff(unix_nanos()) < 5_000_000_000);
        adjust();
        let later = wall(now + Duration::from_secs(3));
        assert!(later.abs_diff(at + 3_000_000_000) < 1_000_000_000);
    }
}

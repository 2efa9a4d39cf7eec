use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time, in microseconds since the epoch, as the store keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(i64);

impl Timestamp {
    pub(crate) fn now() -> Self {
        let elapsed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
    }

    pub(crate) const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub(crate) const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, as tokens count; zero before it.
    pub(crate) fn seconds(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or_default()
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// As JSON has it: RFC 3339 in UTC.
    pub(crate) fn rfc3339(self) -> String {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_in_utc_and_counted_in_seconds() {
        let at = Timestamp::from_micros(1_795_305_600_250_000);
        assert_eq!(at.rfc3339(), "2026-11-22T00:00:00.25Z");
        assert_eq!(at.seconds(), 1_795_305_600);
        assert_eq!(
            at.plus(Duration::from_secs(60)).rfc3339(),
            "2026-11-22T00:01:00.25Z"
        );
        assert_eq!(
            Timestamp::from_micros(i64::MAX)
                .plus(Duration::MAX)
                .micros(),
            i64::MAX
        );
    }
}

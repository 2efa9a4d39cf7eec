use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use time::{
    OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description,
};

/// A moment in UTC, to the microsecond: epoch microseconds in stores, RFC 3339 in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The present moment.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// From microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, as tokens count them; zero before it.
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::try_from(self.0 / 1_000_000).unwrap_or_default()
    }

    /// Later by `duration`; the last moment that can be told if that is later still.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// Time since then, by this machine's clock; zero for a moment that is yet to come.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        let micros = Self::now().0.saturating_sub(self.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Always six digits: texts then sort as the moments do.
        let form = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z"
        );
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .ok()
            .and_then(|moment| moment.format(form).ok())
            .ok_or(fmt::Error)?;
        f.write_str(&text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(D::Error::custom)?;
        let nanos = moment.to_offset(UtcOffset::UTC).unix_timestamp_nanos();
        i64::try_from(nanos / 1_000)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_writes() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399_999_999, "2000-02-28T23:59:59.999999Z"),
            (951_868_799_000_001, "2000-02-29T23:59:59.000001Z"),
            (1_795_305_600_250_000, "2026-11-22T00:00:00.250000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(time.to_string(), text);
            let json = serde_json::to_string(&time).unwrap();
            assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
        }
        for bad in [
            "",
            "2026-01-01",
            "2026-13-01T00:00:00Z",
            "2026-01-01T00:00:00+",
        ] {
            assert!(
                serde_json::from_value::<Timestamp>(bad.into()).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn it_reads_other_offsets_and_never_overflows() {
        let read: Timestamp = serde_json::from_str("\"2026-11-22T09:00:00+09:00\"").unwrap();
        assert_eq!(read.to_string(), "2026-11-22T00:00:00.000000Z");
        assert_eq!(
            read.plus(Duration::from_secs(60)).seconds(),
            read.seconds() + 60
        );
        let last = Timestamp::from_micros(i64::MAX).plus(Duration::MAX);
        assert_eq!(last.micros(), i64::MAX);
    }
}

//! Instants as RFC 3339 in UTC, without a calendar library.

use std::time::{SystemTime, UNIX_EPOCH};

/// `2026-11-21T12:10:36.000123Z`.
pub type Timestamp = [u8; 27];

/// The time with microseconds. Before 1970 and after 9999 it stands still: RFC 3339 has
/// no other years.
#[must_use]
pub fn rfc3339(time: SystemTime) -> Timestamp {
    const LAST_SECOND: u64 = 253_402_300_799;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs().min(LAST_SECOND);
    let (year, month, day) = civil(seconds / 86_400);
    let mut out = *b"0000-00-00T00:00:00.000000Z";
    digits(&mut out[0..4], year);
    digits(&mut out[5..7], month);
    digits(&mut out[8..10], day);
    digits(&mut out[11..13], seconds / 3_600 % 24);
    digits(&mut out[14..16], seconds / 60 % 60);
    digits(&mut out[17..19], seconds % 60);
    digits(&mut out[20..26], since.subsec_micros().into());
    out
}

/// Remembers the second that it wrote last: within one only the fraction is written anew.
#[derive(Debug, Default)]
pub(super) struct Stamp {
    second: u64,
    text: Option<Timestamp>,
}

impl Stamp {
    pub(super) fn now(&mut self) -> Timestamp {
        let now = SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut text = match self.text {
            Some(text) if self.second == since.as_secs() => text,
            _ => rfc3339(now),
        };
        digits(&mut text[20..26], since.subsec_micros().into());
        self.second = since.as_secs();
        self.text = Some(text);
        text
    }
}

fn digits(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day since 1970. Years are counted from March, so that the leap
/// day is the last of a year, in eras of 400 years
/// (howardhinnant.github.io/date_algorithms.html, `civil_from_days`).
fn civil(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_stamp_runs_with_the_clock() {
        let mut stamp = Stamp::default();
        let text = |time: Timestamp| String::from_utf8(time.to_vec()).unwrap();
        let before = text(rfc3339(SystemTime::now()));
        let stamps: Vec<_> = (0..3).map(|_| text(stamp.now())).collect();
        // As if the last line were long ago.
        stamp.second = 7;
        stamp.text = Some(rfc3339(UNIX_EPOCH + Duration::from_secs(7)));
        let stamps = [stamps, vec![text(stamp.now())]].concat();
        let after = text(rfc3339(SystemTime::now()));
        let all = [vec![before], stamps, vec![after]].concat();
        assert!(all.is_sorted(), "{all:?}");
    }

    #[test]
    fn known_instants() {
        for (seconds, micros, text) in [
            (0, 0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, 999_999, "2000-02-28T23:59:59.999999Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.000000Z"),
            (1_772_323_200, 7, "2026-03-01T00:00:00.000007Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000Z"),
            (999_999_999_999, 0, "9999-12-31T23:59:59.000000Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros);
            assert_eq!(std::str::from_utf8(&rfc3339(time)).unwrap(), text);
        }
    }
}

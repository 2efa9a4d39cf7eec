//! Shares of traces and the thresholds they become, by
//! [consistent probability sampling](https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/).

use std::fmt;
use std::str::FromStr;

/// Digits of a threshold, as the specification recommends.
const PRECISION: i32 = 4;

/// A share of traces: 0, or from 2⁻⁵⁶ to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Ratio(f64);

/// The ratio is not a number from 0 to 1, or so small that no trace could be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a ratio is a number from 0 to 1, and at least 2^-56 if it is not 0")]
pub struct RatioError;

impl Ratio {
    /// Every trace.
    pub const ALL: Ratio = Ratio(1.0);
    /// No trace.
    pub const NONE: Ratio = Ratio(0.0);

    /// The share as a number.
    ///
    /// # Errors
    /// If it is out of range.
    pub fn new(ratio: f64) -> Result<Ratio, RatioError> {
        let least = 1.0 / Threshold::SPACE as f64;
        if ratio == 0.0 {
            Ok(Ratio::NONE)
        } else if (least..=1.0).contains(&ratio) {
            Ok(Ratio(ratio))
        } else {
            Err(RatioError)
        }
    }

    /// As a number from 0 to 1.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// `None` for no trace at all, which is not a probability.
    pub(super) fn threshold(self) -> Option<Threshold> {
        self.threshold_to(PRECISION)
    }

    /// The specification's rounding: `precision` digits after those that are `f` because the ratio
    /// is small.
    fn threshold_to(self, precision: i32) -> Option<Threshold> {
        if self.0 <= 0.0 {
            return None;
        }
        if self.0 >= 1.0 {
            return Some(Threshold::ZERO);
        }
        let mut exponent = 0;
        while self.0 < f64::exp2(f64::from(exponent - 1)) {
            exponent -= 1;
        }
        let leading = (-exponent) / 4;
        let digits = (precision + leading).clamp(1, 12);
        let unit = f64::exp2(f64::from(-4 * digits));
        let rejected = ((1.0 - self.0) / unit + 0.5).floor() * unit;
        let value = (rejected * Threshold::SPACE as f64) as u64;
        Some(Threshold(value.min(Threshold::SPACE - 1)))
    }
}

impl FromStr for Ratio {
    type Err = RatioError;

    fn from_str(text: &str) -> Result<Ratio, RatioError> {
        Ratio::new(text.parse().map_err(|_| RatioError)?)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Of 2⁵⁶ traces this many are rejected. A trace is taken if its randomness is not below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Threshold(u64);

/// 56 bits that all who see a trace agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Randomness(u64);

impl Threshold {
    const SPACE: u64 = 1 << 56;
    pub(super) const ZERO: Threshold = Threshold(0);

    pub(super) fn takes(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    pub(super) fn from_bits(bits: u64) -> Threshold {
        Threshold(bits & (Self::SPACE - 1))
    }

    /// One to fourteen digits; missing ones are zeros on the right.
    pub(super) fn parse(digits: &str) -> Option<Threshold> {
        let len = digits.len();
        if !(1..=14).contains(&len) {
            return None;
        }
        let value = crate::context::hex::read(digits.as_bytes())?;
        Some(Threshold(value << (4 * (14 - len))))
    }
}

/// Hexadecimal without zeros on the right, as `th` has it.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:014x}", self.0);
        let trimmed = digits.trim_end_matches('0');
        f.write_str(if trimmed.is_empty() { "0" } else { trimmed })
    }
}

impl Randomness {
    /// The last 56 bits. They are presumed to be random whether or not the flag says so, as the
    /// specification wants of samplers.
    pub(super) fn of(trace_id: crate::context::TraceId) -> Randomness {
        Randomness(trace_id.0 as u64 & (Threshold::SPACE - 1))
    }

    /// Exactly fourteen digits.
    pub(super) fn parse(digits: &str) -> Option<Randomness> {
        let value = (digits.len() == 14).then(|| crate::context::hex::read(digits.as_bytes()));
        value.flatten().map(Randomness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(value: f64) -> Ratio {
        Ratio::new(value).unwrap()
    }

    /// The table of the specification: 1 in N, and the threshold with 3, 4 and 5 digits.
    #[test]
    fn thresholds_are_those_of_the_specification() {
        for (n, expected) in [
            (1, ["0", "0", "0"]),
            (2, ["8", "8", "8"]),
            (3, ["aab", "aaab", "aaaab"]),
            (4, ["c", "c", "c"]),
            (5, ["ccd", "cccd", "ccccd"]),
            (8, ["e", "e", "e"]),
            (10, ["e66", "e666", "e6666"]),
            (16, ["f", "f", "f"]),
            (100, ["fd71", "fd70a", "fd70a4"]),
            (1_000, ["ffbe7", "ffbe77", "ffbe76d"]),
            (10_000, ["fff972", "fff9724", "fff97247"]),
            (100_000, ["ffff584", "ffff583a", "ffff583a5"]),
            (1_000_000, ["ffffef4", "ffffef39", "ffffef391"]),
        ] {
            for (precision, expected) in (3..).zip(expected) {
                let threshold = ratio(1.0 / f64::from(n)).threshold_to(precision).unwrap();
                assert_eq!(
                    threshold.to_string(),
                    expected,
                    "1 in {n}, {precision} digits"
                );
            }
        }
    }

    #[test]
    fn only_shares_are_ratios() {
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY, 1e-20, f64::MIN_POSITIVE] {
            assert_eq!(Ratio::new(wrong), Err(RatioError), "{wrong}");
        }
        assert_eq!("0.25".parse(), Ok(ratio(0.25)));
        assert_eq!("x".parse::<Ratio>(), Err(RatioError));
        assert_eq!(Ratio::NONE.threshold(), None);
        let least = ratio(f64::exp2(-56.0)).threshold().unwrap();
        assert!(least.takes(Randomness(Threshold::SPACE - 1)));
        assert!(!least.takes(Randomness(0)));
    }

    /// A larger ratio never takes less, and what it takes is its share within the precision.
    #[test]
    fn thresholds_fall_as_ratios_grow() {
        let mut last = Threshold(Threshold::SPACE);
        for step in 1..=10_000 {
            let wanted = f64::from(step) / 10_000.0;
            let threshold = ratio(wanted).threshold().unwrap();
            assert!(threshold <= last, "{wanted}");
            last = threshold;
            let share = 1.0 - threshold.0 as f64 / Threshold::SPACE as f64;
            assert!(
                (share / wanted - 1.0).abs() < 1e-3,
                "{wanted} became {share}"
            );
        }
    }

    #[test]
    fn thresholds_are_read_as_they_are_written() {
        for (text, bits) in [
            ("0", 0),
            ("8", 1 << 55),
            ("c", 3 << 54),
            ("fd70a4", 0xfd_70a4_0000_0000),
            ("00000000000001", 1),
            ("ffffffffffffff", Threshold::SPACE - 1),
        ] {
            let threshold = Threshold::parse(text).unwrap();
            assert_eq!(threshold, Threshold(bits));
            assert_eq!(threshold.to_string(), text);
        }
        assert_eq!(Threshold::parse("80"), Some(Threshold(1 << 55)));
        for wrong in ["", "000000000000000", "g", "C", "0x8", "-1"] {
            assert_eq!(Threshold::parse(wrong), None, "{wrong}");
        }
        // The example of the specification.
        let value = Randomness::parse("6e6d1a75832a2f").unwrap();
        assert_eq!(value, Randomness(0x6e_6d1a_7583_2a2f));
        assert!(Threshold(value.0).takes(value));
        assert!(!Threshold(value.0 + 1).takes(value));
        for wrong in ["", "6e6d1a75832a2", "6e6d1a75832a2f0", "6E6D1A75832A2F"] {
            assert_eq!(Randomness::parse(wrong), None, "{wrong}");
        }
    }
}

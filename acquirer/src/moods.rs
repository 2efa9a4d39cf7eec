use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the bank behaves. Those that are probabilities are from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Moods {
    /// How long every request takes at least, in milliseconds.
    pub delay_ms: u64,
    /// How much longer it may take, evenly spread, in milliseconds.
    pub jitter_ms: u64,
    /// It answers 500 or cuts the connection, and has done nothing.
    pub fail_before: f64,
    /// It has charged or refunded, and then answers 500 or cuts the connection.
    pub fail_after: f64,
    /// It never answers, and does nothing.
    pub hang_before: f64,
    /// It has charged or refunded, and never answers.
    pub hang_after: f64,
    /// It declines a charge.
    pub decline: f64,
}

/// Why settings were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMoods {
    /// A probability is not from 0 to 1.
    #[error("`{0}` must be from 0 to 1")]
    Probability(&'static str),
    /// A time is longer than an hour.
    #[error("`{0}` must be at most 3600000")]
    Time(&'static str),
}

/// What happens to one request, drawn when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is dealt with and answered.
    Fair,
    FailBefore,
    FailAfter,
    HangBefore,
    HangAfter,
    Declined,
}

impl Moods {
    /// # Errors
    /// A value out of its range.
    pub(crate) fn validated(self) -> Result<Self, InvalidMoods> {
        let probabilities = [
            ("fail_before", self.fail_before),
            ("fail_after", self.fail_after),
            ("hang_before", self.hang_before),
            ("hang_after", self.hang_after),
            ("decline", self.decline),
        ];
        for (name, value) in probabilities {
            if !(0.0..=1.0).contains(&value) {
                return Err(InvalidMoods::Probability(name));
            }
        }
        for (name, value) in [("delay_ms", self.delay_ms), ("jitter_ms", self.jitter_ms)] {
            if value > 3_600_000 {
                return Err(InvalidMoods::Time(name));
            }
        }
        Ok(self)
    }

    pub(crate) fn delay(&self) -> Duration {
        let jitter = match self.jitter_ms {
            0 => 0,
            most => rand::random_range(0..=most),
        };
        Duration::from_millis(self.delay_ms + jitter)
    }

    /// Each is drawn by itself, in the order in which a request would meet them.
    pub(crate) fn fate(&self) -> Fate {
        let draws = [
            (self.hang_before, Fate::HangBefore),
            (self.fail_before, Fate::FailBefore),
            (self.decline, Fate::Declined),
            (self.hang_after, Fate::HangAfter),
            (self.fail_after, Fate::FailAfter),
        ];
        draws
            .into_iter()
            .find(|(probability, _)| rand::random_bool(*probability))
            .map_or(Fate::Fair, |(_, fate)| fate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_happens_and_what_is_first_wins() {
        assert_eq!(Moods::default().fate(), Fate::Fair);
        let all = Moods {
            fail_before: 1.0,
            fail_after: 1.0,
            hang_before: 1.0,
            hang_after: 1.0,
            decline: 1.0,
            ..Moods::default()
        };
        assert_eq!(all.fate(), Fate::HangBefore);
        let half = Moods {
            decline: 0.5,
            ..Moods::default()
        };
        let declined = (0..10_000)
            .filter(|_| half.fate() == Fate::Declined)
            .count();
        assert!((4_000..6_000).contains(&declined), "{declined}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            let moods = Moods {
                fail_after: bad,
                ..Moods::default()
            };
            assert_eq!(
                moods.validated(),
                Err(InvalidMoods::Probability("fail_after"))
            );
        }
        let moods = Moods {
            jitter_ms: u64::MAX,
            ..Moods::default()
        };
        assert_eq!(moods.validated(), Err(InvalidMoods::Time("jitter_ms")));
    }
}

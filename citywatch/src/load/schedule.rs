//! When requests are due: fixed before anything is sent, so that a slow city cannot slow the
//! shoppers down and hide what they suffer (an open loop).

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::sync::mpsc;

use super::mix::{Kind, Mix};

/// A request to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Arrival {
    /// Since the start.
    pub(crate) due: Duration,
    pub(crate) kind: Kind,
    /// Chooses among what is known when it is sent: product, query, shopper.
    pub(crate) choice: u64,
}

/// Arrivals of a Poisson process: shoppers do not wait for each other.
pub(crate) struct Schedule {
    random: StdRng,
    mix: Mix,
    mean_gap: f64,
    due: f64,
    until: Option<Duration>,
}

impl Schedule {
    pub(crate) fn new(seed: u64, mix: Mix, per_second: f64, until: Option<Duration>) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            mix,
            mean_gap: 1.0 / per_second,
            due: 0.0,
            until,
        }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let uniform: f64 = self.random.random();
        self.due -= self.mean_gap * (1.0 - uniform).ln();
        let due = Duration::from_secs_f64(self.due);
        if self.until.is_some_and(|until| due >= until) {
            return None;
        }
        Some(Arrival {
            due,
            kind: Kind::draw(self.mix, &mut self.random),
            choice: self.random.random(),
        })
    }
}

/// Hands each arrival over when it is due; on a thread of its own, whose sleep is finer than the
/// runtime's millisecond. Ends with the schedule, or when `stop`'s sender is dropped.
pub(crate) fn pace(
    schedule: Schedule,
    start: Instant,
    stop: &Receiver<()>,
    arrivals: &mpsc::Sender<Arrival>,
) {
    for arrival in schedule {
        let wait = (start + arrival.due).saturating_duration_since(Instant::now());
        let stopped = stop.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
        // A full queue makes the sending late, never the due time.
        if stopped || arrivals.blocking_send(arrival).is_err() {
            return;
        }
    }
}

/// `20/s`, `1200/m` or `20` (a second).
pub(crate) fn parse_rate(text: &str) -> Result<f64, String> {
    let (number, per) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match per {
        "s" => 1.0,
        "m" | "min" => 60.0,
        _ => return Err(format!("`{text}`: a rate is like 20/s or 1200/m")),
    };
    match number.trim().parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 && rate <= 100_000.0 => Ok(rate / seconds),
        _ => Err(format!(
            "`{text}`: a rate is like 20/s, above 0 and at most 100000"
        )),
    }
}

/// `90s`, `10m`, `1h`, or seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err(format!(
                "`{text}`: a duration is like 500ms, 60s, 10m or 1h"
            ));
        }
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|value| Duration::try_from_secs_f64(value * scale).ok())
        .ok_or_else(|| format!("`{text}`: a duration is like 500ms, 60s, 10m or 1h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_arrivals_at_the_rate_asked() {
        let schedule = || Schedule::new(42, Mix::Shop, 100.0, Some(Duration::from_secs(100)));
        let arrivals: Vec<Arrival> = schedule().collect();
        assert!(schedule().eq(arrivals.iter().copied()));
        assert!(
            (9_500..10_500).contains(&arrivals.len()),
            "{}",
            arrivals.len()
        );
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.due));
        assert!(
            !Schedule::new(43, Mix::Shop, 100.0, None)
                .take(10)
                .eq(arrivals.iter().copied().take(10))
        );
    }

    #[test]
    fn rates_and_durations_are_read_as_people_write_them() {
        assert_eq!(parse_rate("20/s"), Ok(20.0));
        assert_eq!(parse_rate("1200/m"), Ok(20.0));
        assert_eq!(parse_rate("0.5"), Ok(0.5));
        for wrong in ["0/s", "-1", "20/d", "fast", "inf", "NaN"] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "s", "10d", "-1s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pacing_ends_at_once_when_stopped() {
        let (stop, stopped) = std::sync::mpsc::channel();
        let (sender, mut arrivals) = mpsc::channel(8);
        let slow = Schedule::new(1, Mix::Shop, 0.001, None);
        let thread = std::thread::spawn(move || pace(slow, Instant::now(), &stopped, &sender));
        drop(stop);
        thread.join().unwrap();
        assert!(arrivals.try_recv().is_err());
    }
}

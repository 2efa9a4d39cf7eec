//! What came of the requests, by kind: counts that add up, and latencies from the due time.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::mix::Kind;
use super::order::Orders;

/// Latencies above this are counted as this: the client gives up long before.
const LONGEST_MICROS: u64 = 120_000_000;
/// Distinct unexpected answers that are told apart.
const UNEXPECTED_BOUND: usize = 64;

/// How one request went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Expected,
    /// Another status than the right ones, with the problem's code: `429 rate_limited`.
    Unexpected(String),
    /// No answer: `timeout`, `connect`, …
    Failed(&'static str),
    /// Never sent: too many were in flight.
    NotSent,
}

pub(crate) struct Tally {
    kinds: BTreeMap<Kind, OfKind>,
    unexpected: BTreeMap<(Kind, String), u64>,
    second: Histogram<u32>,
}

struct OfKind {
    count: u64,
    errors: u64,
    latency: Histogram<u32>,
}

impl Default for Tally {
    fn default() -> Self {
        let of_kind = |kind| {
            let latency = histogram();
            (
                kind,
                OfKind {
                    count: 0,
                    errors: 0,
                    latency,
                },
            )
        };
        Self {
            kinds: Kind::ALL.into_iter().map(of_kind).collect(),
            unexpected: BTreeMap::new(),
            second: histogram(),
        }
    }
}

/// Three digits from a microsecond to two minutes.
fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LONGEST_MICROS, 3)
        .unwrap_or_else(|error| unreachable!("the bounds are constants: {error}"))
}

impl Tally {
    /// `since_due` is not known for what was never sent.
    pub(crate) fn add(&mut self, kind: Kind, since_due: Duration, outcome: Outcome) {
        let Some(of_kind) = self.kinds.get_mut(&kind) else {
            return;
        };
        of_kind.count += 1;
        if outcome != Outcome::NotSent {
            let micros = u64::try_from(since_due.as_micros()).unwrap_or(u64::MAX);
            of_kind.latency.saturating_record(micros);
            self.second.saturating_record(micros);
        }
        let why = match outcome {
            Outcome::Expected => return,
            Outcome::Unexpected(answer) => answer,
            Outcome::Failed(why) => why.to_owned(),
            Outcome::NotSent => "not sent: too many in flight".to_owned(),
        };
        of_kind.errors += 1;
        let known = self.unexpected.contains_key(&(kind, why.clone()));
        let why = if known || self.unexpected.len() < UNEXPECTED_BOUND {
            why
        } else {
            "others".to_owned()
        };
        *self.unexpected.entry((kind, why)).or_default() += 1;
    }

    /// One line on the time since the last call.
    pub(crate) fn live(&mut self, elapsed: Duration, per_second: f64) -> String {
        let (count, errors) = self.totals();
        let line = format!(
            "load {:>4.0} s  {per_second:.1}/s  {count} sent  {errors} errors  p50 {}  p99 {}",
            elapsed.as_secs_f64(),
            at(&self.second, 50.0),
            at(&self.second, 99.0),
        );
        self.second.reset();
        line
    }

    pub(crate) fn totals(&self) -> (u64, u64) {
        self.kinds
            .values()
            .fold((0, 0), |(count, errors), of_kind| {
                (count + of_kind.count, errors + of_kind.errors)
            })
    }

    pub(crate) fn report(
        &self,
        seed: u64,
        per_second: f64,
        elapsed: Duration,
        orders: Orders,
    ) -> Report {
        let mut all = histogram();
        for of_kind in self.kinds.values() {
            // Same bounds on both sides: nothing is out of range.
            let _ = all.add(&of_kind.latency);
        }
        let (count, errors) = self.totals();
        let mut kinds: Vec<Line> = self
            .kinds
            .iter()
            .map(|(kind, of_kind)| {
                Line::new(kind.name(), of_kind.count, of_kind.errors, &of_kind.latency)
            })
            .collect();
        kinds.push(Line::new("all", count, errors, &all));
        Report {
            seed,
            rate: per_second,
            seconds: elapsed.as_secs_f64(),
            requests: count,
            errors,
            kinds,
            orders,
            unexpected: self
                .unexpected
                .iter()
                .map(|((kind, answer), count)| Unexpected {
                    kind: *kind,
                    answer: answer.clone(),
                    count: *count,
                })
                .collect(),
        }
    }
}

fn at(latency: &Histogram<u32>, percentile: f64) -> String {
    if latency.is_empty() {
        return "-".to_owned();
    }
    crate::terminal::duration(latency.value_at_percentile(percentile))
}

/// The end of a run, for people and scripts.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) kinds: Vec<Line>,
    pub(crate) orders: Orders,
    pub(crate) unexpected: Vec<Unexpected>,
}

/// Latency in microseconds from the due time.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) kind: &'static str,
    pub(crate) count: u64,
    pub(crate) errors: u64,
    pub p50_us: u64,
    pub p90_us: u64,
    pub p99_us: u64,
    pub(crate) max_us: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Unexpected {
    pub(crate) kind: Kind,
    pub(crate) answer: String,
    pub(crate) count: u64,
}

impl Line {
    fn new(kind: &'static str, count: u64, errors: u64, latency: &Histogram<u32>) -> Self {
        Self {
            kind,
            count,
            errors,
            p50_us: latency.value_at_percentile(50.0),
            p90_us: latency.value_at_percentile(90.0),
            p99_us: latency.value_at_percentile(99.0),
            max_us: latency.max(),
        }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use crate::terminal::duration;
        writeln!(
            f,
            "{:.1} s at {:.1}/s (seed {}): {} requests, {} errors; latency from the time each was due",
            self.seconds, self.rate, self.seed, self.requests, self.errors
        )?;
        let row = ["kind", "count", "errors", "p50", "p90", "p99", "max"];
        let [kind, count, errors, p50, p90, p99, max] = row;
        writeln!(
            f,
            "  {kind:<8} {count:>8} {errors:>7} {p50:>9} {p90:>9} {p99:>9} {max:>9}"
        )?;
        for line in &self.kinds {
            let [p50, p90, p99, max] =
                [line.p50_us, line.p90_us, line.p99_us, line.max_us].map(|micros| {
                    if line.count == 0 {
                        "-".to_owned()
                    } else {
                        duration(micros)
                    }
                });
            writeln!(
                f,
                "  {:<8} {:>8} {:>7} {p50:>9} {p90:>9} {p99:>9} {max:>9}",
                line.kind, line.count, line.errors
            )?;
        }
        let orders = &self.orders;
        if orders.placed > 0 {
            writeln!(
                f,
                "  orders: {} placed, {} confirmed, {} cancelled, {} refused, {} repeated, {} open, {} unanswered",
                orders.placed,
                orders.confirmed,
                orders.cancelled,
                orders.refused,
                orders.repeated,
                orders.open,
                orders.unanswered
            )?;
        }
        for unexpected in &self.unexpected {
            writeln!(
                f,
                "  unexpected: {} {} ({} times)",
                unexpected.kind.name(),
                unexpected.answer,
                unexpected.count
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_nothing_is_skipped_in_silence() {
        let mut tally = Tally::default();
        for millis in 1..=100 {
            tally.add(
                Kind::Search,
                Duration::from_millis(millis),
                Outcome::Expected,
            );
        }
        let slow = Duration::from_secs(3);
        tally.add(
            Kind::Me,
            slow,
            Outcome::Unexpected("429 rate_limited".into()),
        );
        tally.add(Kind::Me, slow, Outcome::Failed("timeout"));
        tally.add(Kind::Browse, Duration::ZERO, Outcome::NotSent);
        let report = tally.report(1, 20.0, Duration::from_secs(5), Orders::default());
        assert_eq!((report.requests, report.errors), (103, 3));
        assert_eq!(report.unexpected.len(), 3);
        let search = report
            .kinds
            .iter()
            .find(|line| line.kind == "search")
            .unwrap();
        assert!(
            (50_000..50_100).contains(&search.p50_us),
            "{}",
            search.p50_us
        );
        let text = report.to_string();
        assert!(
            text.contains("unexpected: me 429 rate_limited (1 times)"),
            "{text}"
        );
    }

    #[test]
    fn unexpected_answers_are_bounded() {
        let mut tally = Tally::default();
        for code in 0..1000 {
            tally.add(
                Kind::Me,
                Duration::ZERO,
                Outcome::Unexpected(format!("500 code_{code}")),
            );
        }
        let report = tally.report(1, 20.0, Duration::from_secs(5), Orders::default());
        assert!(report.unexpected.len() <= UNEXPECTED_BOUND + 1);
        assert_eq!(
            report.unexpected.iter().map(|line| line.count).sum::<u64>(),
            1000
        );
    }
}

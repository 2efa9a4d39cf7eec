//! What has changed since the last push that arrived, for receivers that want it so
//! ([temporality](https://opentelemetry.io/docs/specs/otel/metrics/data-model/#temporality)).
//!
//! What a push lost is in the next one: numbers count as sent only when the receiver has them.

use std::borrow::Cow;
use std::collections::HashMap;

use super::family::{Audience, Data, Description, Distribution, Kind, Labels, Snapshot, Value};
use super::otlp::Since;
use crate::settings::Temporality;

impl Temporality {
    /// What the numbers of a family count from.
    pub(super) fn since(self, description: &Description) -> Since {
        let counts = matches!(
            description.kind,
            Kind::Counter | Kind::UntypedCounter | Kind::Histogram
        );
        match self {
            Temporality::Delta if counts => Since::LastPush,
            Temporality::LowMemory if counts && !description.observed => Since::LastPush,
            _ => Since::Start,
        }
    }
}

type Series = (Cow<'static, str>, Labels);

/// The numbers that the receiver has, and since when it has them.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    series: HashMap<Series, (Data, u64)>,
    /// When everything had arrived last, in nanoseconds since the Unix epoch.
    complete_at: u64,
}

/// The numbers of one push, in the order of its points. `None` for those that count from the
/// start, which need no memory.
#[derive(Debug)]
pub(super) struct Sending {
    points: std::vec::IntoIter<Option<(Series, Data)>>,
    at: u64,
}

impl Baseline {
    /// Leaves in `snapshot` what is new to the receiver. What is returned is to be taken for
    /// sent as it arrives.
    pub(super) fn subtract_from(
        &self,
        snapshot: &mut Snapshot,
        temporality: Temporality,
        at: u64,
    ) -> Sending {
        let mut points = Vec::new();
        for family in snapshot.families_for_mut(Audience::Otlp) {
            let name = &family.description.name;
            let changes = temporality.since(&family.description) == Since::LastPush;
            for point in &mut family.points {
                if !changes {
                    points.push(None);
                    continue;
                }
                let series = (name.clone(), point.labels.clone());
                let now = point.data.clone();
                point.since_nanos = self.complete_at;
                if let Some((before, sent_at)) = self.series.get(&series) {
                    subtract(&mut point.data, before);
                    point.since_nanos = *sent_at;
                }
                points.push(Some((series, now)));
            }
        }
        Sending {
            points: points.into_iter(),
            at,
        }
    }

    /// The next points of a push have arrived.
    pub(super) fn arrived(&mut self, sending: &mut Sending, points: usize) {
        let arrived = sending.points.by_ref().take(points).flatten();
        self.series
            .extend(arrived.map(|(series, data)| (series, (data, sending.at))));
    }

    /// All of it has.
    pub(super) fn complete(&mut self, sending: &Sending) {
        self.complete_at = sending.at;
    }

    pub(super) fn complete_at(&self) -> u64 {
        self.complete_at
    }
}

fn subtract(now: &mut Data, before: &Data) {
    match (now, before) {
        (Data::Number(now), Data::Number(before)) => subtract_number(now, *before),
        (Data::Distribution(now), Data::Distribution(before)) => subtract_counts(now, before),
        _ => {}
    }
}

/// A number that fell was begun anew: all of it is news.
fn subtract_number(now: &mut Value, before: Value) {
    match (now, before) {
        (Value::Int(now), Value::Int(before)) if *now >= before => *now -= before,
        (Value::Float(now), Value::Float(before)) if *now >= before => *now -= before,
        _ => {}
    }
}

fn subtract_counts(now: &mut Distribution, before: &Distribution) {
    let grew = now.bounds == before.bounds
        && now
            .counts
            .iter()
            .zip(&before.counts)
            .all(|(now, before)| now >= before);
    let grew = grew
        && match (&mut now.exponential, &before.exponential) {
            (Some(now), Some(before)) => now.subtract(before),
            _ => true,
        };
    if grew {
        for (now, before) in now.counts.iter_mut().zip(&before.counts) {
            *now -= before;
        }
        now.sum -= before.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::exemplar::Exemplar;

    /// One family of each kind, in which everything was counted `n` times.
    fn after(n: u64) -> Snapshot {
        let mut all = Snapshot::default();
        for (kind, name) in [
            (Kind::Counter, "done"),
            (Kind::UpDownCounter, "doing"),
            (Kind::Gauge, "level"),
        ] {
            all.number(Description::new(kind, name, "", ""), n);
        }
        let observed = Description::new(Kind::Counter, "read", "", "").observed();
        all.number(observed, n);
        let histogram = Description::new(Kind::Histogram, "took", "s", "");
        let data = Data::Distribution(Distribution {
            bounds: (&[1.0][..]).into(),
            counts: vec![n, 2 * n],
            sum: n as f64,
            exemplars: vec![(
                0,
                Exemplar {
                    trace_id: 1,
                    span_id: 2,
                    value: 0.5,
                    at_nanos: 3,
                },
            )],
            exponential: None,
        });
        all.family(histogram).unwrap().point(Labels::none(), data);
        all
    }

    fn numbers(all: &Snapshot) -> Vec<(&str, i128, u64)> {
        let families = all.families.iter();
        let number = |data: &Data| match data {
            Data::Number(Value::Int(number)) => *number,
            Data::Distribution(distribution) => distribution.count().into(),
            other => panic!("{other:?}"),
        };
        families
            .map(|family| {
                let point = &family.points[0];
                (
                    &*family.description.name,
                    number(&point.data),
                    point.since_nanos,
                )
            })
            .collect()
    }

    #[test]
    fn only_what_the_preference_names_is_told_as_a_change() {
        for (temporality, expected) in [
            (
                Temporality::Cumulative,
                [
                    ("done", 5, 0),
                    ("doing", 5, 0),
                    ("level", 5, 0),
                    ("read", 5, 0),
                    ("took", 15, 0),
                ],
            ),
            (
                Temporality::Delta,
                [
                    ("done", 2, 70),
                    ("doing", 5, 0),
                    ("level", 5, 0),
                    ("read", 2, 70),
                    ("took", 6, 70),
                ],
            ),
            (
                Temporality::LowMemory,
                [
                    ("done", 2, 70),
                    ("doing", 5, 0),
                    ("level", 5, 0),
                    ("read", 5, 0),
                    ("took", 6, 70),
                ],
            ),
        ] {
            let mut baseline = Baseline::default();
            let mut sending = baseline.subtract_from(&mut after(3), temporality, 70);
            baseline.arrived(&mut sending, 5);
            baseline.complete(&sending);
            let mut later = after(5);
            baseline.subtract_from(&mut later, temporality, 80);
            assert_eq!(numbers(&later), expected, "{temporality:?}");
        }
    }

    #[test]
    fn what_did_not_arrive_is_in_the_next_push() {
        let mut baseline = Baseline::default();
        let mut sending = baseline.subtract_from(&mut after(3), Temporality::Delta, 70);
        // Of two requests only the first arrived.
        baseline.arrived(&mut sending, 2);
        let mut later = after(5);
        baseline.subtract_from(&mut later, Temporality::Delta, 80);
        let later = numbers(&later);
        assert_eq!((later[0], later[4]), (("done", 2, 70), ("took", 15, 0)));
    }

    #[test]
    fn a_counter_that_began_anew_is_told_whole() {
        let mut baseline = Baseline::default();
        let mut sending = baseline.subtract_from(&mut after(3), Temporality::Delta, 70);
        baseline.arrived(&mut sending, 5);
        let mut anew = after(1);
        baseline.subtract_from(&mut anew, Temporality::Delta, 80);
        let anew = numbers(&anew);
        assert_eq!((anew[0].1, anew[4].1), (1, 3));
    }
}

//! Instruments of work beside HTTP, by the semantic conventions for databases, messaging and RPC.
//!
//! Labels are what the code declares, and words from bounded tables.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use super::exemplar::Exemplar;
use super::exponential::Exponential;
use super::family::{Data, Description, Distribution, Kind, LabelValue, Labels, Snapshot};
use super::histogram::BOUNDS;
use super::labels::OTHER;
use super::pools::Pools;
use super::shards::{Shards, Tally};
use crate::settings::HistogramAggregation;
use crate::sync::lock;

/// Upper bounds in seconds that the conventions advise for `db.client.operation.duration`.
const DATABASE_BOUNDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// Different words in one table, beside [`OTHER`].
const MAX_WORDS: usize = 100;

/// Every instrument of work beside HTTP.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) database: Histogram,
    pub(crate) pools: Pools,
    pub(crate) messaging: Histogram,
    pub(crate) processing: Histogram,
    pub(crate) queueing: Histogram,
    pub(crate) sent: Counter,
    pub(crate) consumed: Counter,
    pub(crate) rpc_client: Histogram,
    pub(crate) rpc_server: Histogram,
    /// `error.type` and status codes, which others make up.
    words: Mutex<HashSet<Arc<str>>>,
}

const MESSAGING: &[&str] = &[
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.system",
    "messaging.destination.name",
    "messaging.destination.template",
    "messaging.consumer.group.name",
    "server.address",
    "server.port",
    "error.type",
];
const RPC: &[&str] = &[
    "rpc.system.name",
    "rpc.method",
    "rpc.response.status_code",
    "server.address",
    "server.port",
    "error.type",
];

impl Work {
    pub(super) fn new(aggregation: HistogramAggregation) -> Work {
        let seconds = |name, help, labels, bounds| Histogram {
            instrument: Instrument {
                name,
                unit: "s",
                help,
                labels,
            },
            bounds,
            aggregation,
            series: Shards::new(),
        };
        let messages = |name, help| Counter {
            instrument: Instrument {
                name,
                unit: "{message}",
                help,
                labels: MESSAGING,
            },
            series: Shards::new(),
        };
        Work {
            database: seconds(
                "db.client.operation.duration",
                "Duration of database client operations.",
                &[
                    "db.system.name",
                    "db.namespace",
                    "db.operation.name",
                    "db.collection.name",
                    "db.query.summary",
                    "server.address",
                    "server.port",
                    "db.response.status_code",
                    "error.type",
                ],
                &DATABASE_BOUNDS,
            ),
            pools: Pools::new(|name, help, labels| seconds(name, help, labels, &DATABASE_BOUNDS)),
            messaging: seconds(
                "messaging.client.operation.duration",
                "Duration of messaging operation initiated by a producer or consumer client.",
                MESSAGING,
                &BOUNDS,
            ),
            processing: seconds(
                "messaging.process.duration",
                "Duration of processing operation.",
                MESSAGING,
                &BOUNDS,
            ),
            queueing: seconds(
                "citywatch.messaging.queue.duration",
                "Time from a message's sending to the beginning of its processing.",
                MESSAGING,
                &BOUNDS,
            ),
            sent: messages(
                "messaging.client.sent.messages",
                "Number of messages producer attempted to send to the broker.",
            ),
            consumed: messages(
                "messaging.client.consumed.messages",
                "Number of messages that were delivered to the application.",
            ),
            rpc_client: seconds(
                "rpc.client.call.duration",
                "Measures the duration of outbound remote procedure calls (RPC).",
                RPC,
                &BOUNDS,
            ),
            rpc_server: seconds(
                "rpc.server.call.duration",
                "Measures the duration of inbound remote procedure calls (RPC).",
                RPC,
                &BOUNDS,
            ),
            words: Mutex::default(),
        }
    }

    /// A word that was not declared as a label's value. There are only so many of them.
    pub(crate) fn word(&self, word: Option<&str>) -> LabelValue {
        let Some(word) = word else {
            return "".into();
        };
        let mut words = lock(&self.words);
        if let Some(known) = words.get(word) {
            return Arc::clone(known).into();
        }
        if words.len() >= MAX_WORDS {
            return OTHER.into();
        }
        let new: Arc<str> = word.into();
        words.insert(Arc::clone(&new));
        new.into()
    }

    pub(super) fn gather(&self, all: &mut Snapshot) {
        self.database.gather(all);
        self.pools.gather(all);
        for histogram in [&self.messaging, &self.processing, &self.queueing] {
            histogram.gather(all);
        }
        self.sent.gather(all);
        self.consumed.gather(all);
        self.rpc_client.gather(all);
        self.rpc_server.gather(all);
    }
}

#[derive(Debug)]
struct Instrument {
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
}

impl Instrument {
    fn description(&self, kind: Kind) -> Description {
        Description::new(kind, self.name, self.unit, self.help)
    }

    fn labels(&self, values: &[LabelValue]) -> Labels {
        if values.is_empty() {
            return Labels::none().with("otel.metric.overflow", "true");
        }
        let pairs = self.labels.iter().zip(values);
        pairs.fold(Labels::none(), |labels, (name, value)| {
            labels.with(*name, value.clone())
        })
    }
}

/// How long something took, by labels.
#[derive(Debug)]
pub(crate) struct Histogram {
    instrument: Instrument,
    bounds: &'static [f64],
    aggregation: HistogramAggregation,
    series: Shards<Durations>,
}

impl Histogram {
    /// Counts one duration; the labels' values are in the order of the instrument's names, and an
    /// empty one is the same as none. `exemplar` is of the sampled span.
    pub(crate) fn record(&self, labels: &[LabelValue], seconds: f64, exemplar: Option<Exemplar>) {
        let empty = || Durations::new(self.bounds.len() + 1, self.aggregation);
        let bucket = self.bounds.iter().take_while(|bound| **bound < seconds);
        let bucket = bucket.count();
        self.series.change(labels, empty, |series| {
            series.counts[bucket] += 1;
            series.sum += seconds;
            if exemplar.is_some() {
                series.exemplars[bucket] = exemplar;
            }
            if let Some(exponential) = &mut series.exponential {
                exponential.record(seconds);
            }
        });
    }

    pub(super) fn gather(&self, all: &mut Snapshot) {
        let series = self.series.sum();
        if series.is_empty() && !all.is_of_names() {
            return;
        }
        let Some(family) = all.family(self.instrument.description(Kind::Histogram)) else {
            return;
        };
        for (values, durations) in series {
            let exemplars = durations.exemplars.into_iter().enumerate();
            let distribution = Distribution {
                bounds: self.bounds.into(),
                counts: durations.counts,
                sum: durations.sum,
                exemplars: exemplars.filter_map(|(at, one)| Some((at, one?))).collect(),
                exponential: durations.exponential,
            };
            family.point(
                self.instrument.labels(&values),
                Data::Distribution(distribution),
            );
        }
    }
}

#[derive(Clone, Debug)]
struct Durations {
    counts: Vec<u64>,
    sum: f64,
    exemplars: Vec<Option<Exemplar>>,
    exponential: Option<Exponential>,
}

impl Durations {
    fn new(buckets: usize, aggregation: HistogramAggregation) -> Durations {
        Durations {
            counts: vec![0; buckets],
            sum: 0.0,
            exemplars: vec![None; buckets],
            exponential: aggregation.exponential(),
        }
    }
}

impl Tally for Durations {
    fn add(&mut self, other: &Durations) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
        if let (Some(all), Some(one)) = (&mut self.exponential, &other.exponential) {
            all.merge(one);
        }
        for (kept, other) in self.exemplars.iter_mut().zip(&other.exemplars) {
            let newer = |one: &Exemplar| kept.is_none_or(|kept| kept.at_nanos <= one.at_nanos);
            if other.as_ref().is_some_and(newer) {
                *kept = *other;
            }
        }
    }
}

/// How many there were, by labels.
#[derive(Debug)]
pub(crate) struct Counter {
    instrument: Instrument,
    series: Shards<u64>,
}

impl Counter {
    pub(super) fn new(
        name: &'static str,
        unit: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
    ) -> Counter {
        Counter {
            instrument: Instrument {
                name,
                unit,
                help,
                labels,
            },
            series: Shards::new(),
        }
    }

    pub(crate) fn add(&self, labels: &[LabelValue], count: u64) {
        self.series.change(labels, || 0, |sum| *sum += count);
    }

    pub(super) fn gather(&self, all: &mut Snapshot) {
        let series = self.series.sum();
        if series.is_empty() && !all.is_of_names() {
            return;
        }
        let Some(family) = all.family(self.instrument.description(Kind::Counter)) else {
            return;
        };
        for (values, count) in series {
            family.number(self.instrument.labels(&values), count);
        }
    }
}

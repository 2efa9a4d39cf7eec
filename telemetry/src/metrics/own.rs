//! Counters and histograms of a service's own. Every series that can be is known when the
//! instrument is made: it is born at zero, so that the first event shows in a rate, and nothing
//! that comes from outside can make one more.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::exemplar::Exemplar;
use super::family::{Data, Description, Kind, Snapshot};
use super::fold::Series;
use super::histogram::{Chosen, Recorder};
use super::label_sets::LabelSets;
use crate::settings::{ExemplarFilter, HistogramAggregation};
use crate::sync::lock;
use crate::{clock, context};

/// What an instrument measures, and under which labels.
///
/// ```
/// let refusals = telemetry::Instrument::new("orders.refused", "{order}", "Orders refused.")
///     .label("reason", ["sold_out", "card_declined"]);
/// ```
#[derive(Debug, Clone)]
pub struct Instrument {
    name: String,
    unit: String,
    help: String,
    labels: Vec<(String, Vec<String>)>,
}

impl Instrument {
    /// An instrument with a dotted name (on the page `_`, with the unit and `_total` as its end),
    /// a unit in UCUM (`s`, `By`, `{order}`) and a sentence of help.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        unit: impl Into<String>,
        help: impl Into<String>,
    ) -> Instrument {
        Instrument {
            name: name.into(),
            unit: unit.into(),
            help: help.into(),
            labels: Vec::new(),
        }
    }

    /// One more label, and every value that it can have. Others are counted as `_OTHER`.
    #[must_use]
    pub fn label<V: Into<String>>(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Instrument {
        let values = values.into_iter().map(Into::into).collect();
        self.labels.push((name.into(), values));
        self
    }

    fn describe(&self, kind: Kind) -> Description {
        let Instrument {
            name, unit, help, ..
        } = self.clone();
        Description::new(kind, name, unit, help)
    }

    /// By the
    /// [syntax of names](https://opentelemetry.io/docs/specs/otel/metrics/api/#instrument-name-syntax).
    fn check(self) -> Result<Instrument, InstrumentError> {
        let known = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
        let named = self
            .name
            .starts_with(|first: char| first.is_ascii_alphabetic())
            && self.name.len() <= 255
            && self.name.chars().all(known);
        if named {
            Ok(self)
        } else {
            Err(InstrumentError::Name(self.name))
        }
    }
}

/// An instrument cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InstrumentError {
    /// The name is not one.
    #[error(
        "{0:?} is no name: begin with a letter, go on with letters, digits and _ . - /, at most 255"
    )]
    Name(String),
    /// Another instrument, or a family of this crate's, has the name, or one that ends up the same
    /// on the page.
    #[error("another metric is called {0:?}, or so on the page: choose another name")]
    Taken(String),
    /// A label is there twice, or has a name that means something else.
    #[error("label {0:?} cannot be used: name each label once, and none le or quantile")]
    Label(String),
    /// The labels' values make more series than one instrument may have.
    #[error("{0} series are too many: give labels fewer values, at most 2000 series in all")]
    TooMany(usize),
    /// Bounds have to be finite and ascending.
    #[error("bounds have to be finite numbers in ascending order")]
    Bounds,
}

/// Counts events. Clones count together.
#[derive(Debug, Clone)]
pub struct Counter(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    description: Description,
    sets: LabelSets,
    counts: Box<[AtomicU64]>,
}

impl Counter {
    /// Adds to the series of these values, one for each label, in the labels' order.
    pub fn add(&self, values: &[&str], events: u64) {
        let series = self.0.sets.index(values);
        self.0.counts[series].fetch_add(events, Ordering::Relaxed);
    }

    fn gather(&self, all: &mut Snapshot) {
        let Some(family) = all.family(self.0.description.clone()) else {
            return;
        };
        for (series, count) in self.0.counts.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 || self.0.sets.is_known(series) {
                family.number(self.0.sets.labels(series), count);
            }
        }
    }
}

/// Counts values by size, with an exemplar for each bucket. Clones count together.
///
/// Recording takes no lock once a thread has met a series.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<Values>);

#[derive(Debug)]
struct Values {
    /// Finds a thread's own half; never used twice in a process.
    id: u64,
    description: Description,
    sets: LabelSets,
    bounds: Arc<[f64]>,
    series: Box<[Mutex<Series<Chosen>>]>,
    exemplars: ExemplarFilter,
}

/// One thread's halves of one histogram.
struct Local {
    id: u64,
    shared: Weak<Values>,
    recorders: Box<[Option<Recorder<Chosen>>]>,
}

thread_local! {
    static LOCALS: RefCell<Vec<Local>> = const { RefCell::new(Vec::new()) };
}

impl Histogram {
    /// Counts one value in the series of these label values, one for each label, in the labels'
    /// order. The current span becomes the bucket's exemplar. What is not a number or below zero
    /// is not counted.
    pub fn record(&self, values: &[&str], value: f64) {
        if value.is_nan() || value < 0.0 {
            return;
        }
        let shared = &self.0;
        let series = shared.sets.index(values);
        let exemplar = exemplar(shared.exemplars, value);
        let exemplar = exemplar.as_ref();
        let recorded = LOCALS.try_with(|locals| {
            let mut locals = locals.try_borrow_mut().ok()?;
            let at = locals.iter().position(|local| local.id == shared.id);
            let at = at.unwrap_or_else(|| {
                locals.retain(|local| local.shared.strong_count() > 0);
                locals.push(Local {
                    id: shared.id,
                    shared: Arc::downgrade(shared),
                    recorders: shared.series.iter().map(|_| None).collect(),
                });
                locals.len() - 1
            });
            let recorder = locals[at].recorders[series]
                .get_or_insert_with(|| lock(&shared.series[series]).join());
            recorder.record(value, exemplar);
            Some(())
        });
        // The thread's storage is being torn down, and something that lived there still counts.
        if !matches!(recorded, Ok(Some(()))) {
            lock(&shared.series[series]).record(value, exemplar);
        }
    }

    fn gather(&self, all: &mut Snapshot) {
        let Some(family) = all.family(self.0.description.clone()) else {
            return;
        };
        for (at, series) in self.0.series.iter().enumerate() {
            let values = lock(series).totals().over(self.0.bounds.to_vec());
            if values.count() > 0 || self.0.sets.is_known(at) {
                family.point(self.0.sets.labels(at), Data::Distribution(values));
            }
        }
    }
}

fn exemplar(filter: ExemplarFilter, value: f64) -> Option<Exemplar> {
    if filter == ExemplarFilter::AlwaysOff {
        return None;
    }
    let span = context::current()?;
    filter.takes(span.flags.is_sampled()).then(|| Exemplar {
        trace_id: span.trace_id.0,
        span_id: span.span_id.0,
        value,
        at_nanos: clock::wall_now(),
    })
}

impl ExemplarFilter {
    /// Whether a measurement in a span, sampled or not, becomes an exemplar.
    #[inline]
    pub(crate) fn takes(self, sampled: bool) -> bool {
        match self {
            ExemplarFilter::TraceBased => sampled,
            ExemplarFilter::AlwaysOn => true,
            ExemplarFilter::AlwaysOff => false,
        }
    }
}

/// The instruments of one service.
#[derive(Debug)]
pub(super) struct Own {
    exemplars: ExemplarFilter,
    aggregation: HistogramAggregation,
    made: Mutex<Vec<Made>>,
}

#[derive(Debug)]
enum Made {
    Counter(Counter),
    Histogram(Histogram),
}

impl Made {
    fn description(&self) -> &Description {
        match self {
            Made::Counter(counter) => &counter.0.description,
            Made::Histogram(histogram) => &histogram.0.description,
        }
    }
}

impl Own {
    pub(super) fn new(exemplars: ExemplarFilter, aggregation: HistogramAggregation) -> Own {
        Own {
            exemplars,
            aggregation,
            made: Mutex::default(),
        }
    }

    /// `names` are those of the crate's own families.
    pub(super) fn counter(
        &self,
        instrument: Instrument,
        names: Snapshot,
    ) -> Result<Counter, InstrumentError> {
        let instrument = instrument.check()?;
        let description = instrument.describe(Kind::Counter);
        let sets = LabelSets::new(instrument.labels)?;
        let counter = Counter(Arc::new(Counts {
            description,
            counts: (0..sets.len()).map(|_| AtomicU64::new(0)).collect(),
            sets,
        }));
        self.keep(Made::Counter(counter.clone()), names)?;
        Ok(counter)
    }

    pub(super) fn histogram(
        &self,
        instrument: Instrument,
        bounds: &[f64],
        names: Snapshot,
    ) -> Result<Histogram, InstrumentError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let instrument = instrument.check()?;
        let ascending = bounds.is_sorted_by(|before, after| before < after);
        if !ascending || bounds.iter().any(|bound| !bound.is_finite()) {
            return Err(InstrumentError::Bounds);
        }
        let description = instrument.describe(Kind::Histogram);
        let sets = LabelSets::new(instrument.labels)?;
        let buckets = Chosen(bounds.into());
        let histogram = Histogram(Arc::new(Values {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            description,
            bounds: Arc::clone(&buckets.0),
            series: (0..sets.len())
                .map(|_| Mutex::new(Series::new(buckets.clone(), self.aggregation)))
                .collect(),
            sets,
            exemplars: self.exemplars,
        }));
        self.keep(Made::Histogram(histogram.clone()), names)?;
        Ok(histogram)
    }

    fn keep(&self, new: Made, mut names: Snapshot) -> Result<(), InstrumentError> {
        let mut made = lock(&self.made);
        for one in &*made {
            names.family(one.description().clone());
        }
        if !names.takes(new.description()) {
            return Err(InstrumentError::Taken(new.description().name.to_string()));
        }
        made.push(new);
        Ok(())
    }

    pub(super) fn gather(&self, all: &mut Snapshot) {
        for one in &*lock(&self.made) {
            match one {
                Made::Counter(counter) => counter.gather(all),
                Made::Histogram(histogram) => histogram.gather(all),
            }
        }
    }
}

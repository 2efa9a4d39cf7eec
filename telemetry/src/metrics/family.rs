//! All metrics of a service at one instant, each family described once.
//!
//! The page and the OTLP push are two ways of writing the same [`Snapshot`]: names, units,
//! labels and numbers cannot differ between them but by the rules of each format.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::exemplar::Exemplar;
use super::exponential::Exponential;
use super::histogram::Totals;
use super::names;

/// What a family is, in the instruments of OpenTelemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only grows.
    Counter,
    /// A counter whose name on the page belongs to another family, so that it is shown there
    /// without its type.
    UntypedCounter,
    /// A sum that also falls; a gauge on the page.
    UpDownCounter,
    Gauge,
    Histogram,
    Summary,
    /// Labels that tell something about the service. OTLP has its resource for that.
    Info,
}

/// Who is told of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Both,
    Page,
    Otlp,
}

/// A family without its points.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) kind: Kind,
    /// OpenTelemetry's name, dotted.
    pub(crate) name: Cow<'static, str>,
    /// The name on the page without the end that the kind demands (`_total`, `_info`).
    pub(crate) page_name: Cow<'static, str>,
    /// In the letters of UCUM, as the semantic conventions have them.
    pub(crate) unit: Cow<'static, str>,
    pub(crate) help: Cow<'static, str>,
    /// Read when asked for, not counted event by event: an asynchronous instrument.
    pub(crate) observed: bool,
    pub(crate) audience: Audience,
}

impl Description {
    /// The name on the page follows from name and unit.
    pub(crate) fn new(
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        unit: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (name, unit) = (name.into(), unit.into());
        Self {
            kind,
            page_name: names::family(&name, &unit, kind).into(),
            name,
            unit,
            help: help.into(),
            observed: false,
            audience: Audience::Both,
        }
    }

    /// A name on the page that does not follow from the other.
    pub(crate) fn page_name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.page_name = name.into();
        self
    }

    pub(crate) fn observed(mut self) -> Self {
        self.observed = true;
        self
    }

    pub(crate) fn only_for(mut self, audience: Audience) -> Self {
        self.audience = audience;
        self
    }

    /// Every name of a sample that the page would have, and the family's own.
    fn claims(&self) -> Vec<String> {
        let mut claims: Vec<String> = self
            .sample_suffixes()
            .iter()
            .map(|s| self.page(s))
            .collect();
        claims.push(self.page(""));
        claims
    }

    fn page(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.page_name)
    }

    fn sample_suffixes(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Counter => &["_total"],
            Kind::Gauge | Kind::UpDownCounter | Kind::UntypedCounter => &[],
            Kind::Histogram => &["_bucket", "_count", "_sum"],
            Kind::Summary => &["_count", "_sum"],
            Kind::Info => &["_info"],
        }
    }
}

/// A label's value. Numbers stay numbers in OTLP. Text is the same whoever keeps it.
#[derive(Clone, Debug)]
pub(crate) enum LabelValue {
    Static(&'static str),
    Shared(Arc<str>),
    Number(u16),
}

impl From<&'static str> for LabelValue {
    fn from(value: &'static str) -> Self {
        Self::Static(value)
    }
}

impl From<Arc<str>> for LabelValue {
    fn from(value: Arc<str>) -> Self {
        Self::Shared(value)
    }
}

impl From<u16> for LabelValue {
    fn from(value: u16) -> Self {
        Self::Number(value)
    }
}

impl PartialEq for LabelValue {
    fn eq(&self, other: &Self) -> bool {
        self.as_key() == other.as_key()
    }
}

impl Eq for LabelValue {}

impl PartialOrd for LabelValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LabelValue {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_key().cmp(&other.as_key())
    }
}

impl Hash for LabelValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_key().hash(state);
    }
}

impl LabelValue {
    /// The value as text; empty if it is a number.
    pub(crate) fn as_text(&self) -> &str {
        self.as_key().1
    }

    /// All absent values are one.
    fn as_key(&self) -> (u16, &str) {
        match self {
            Self::Static(text) => (0, text),
            Self::Shared(text) => (0, text),
            Self::Number(number) => (*number, ""),
        }
    }

    /// An empty value is the same as no label.
    fn is_absent(&self) -> bool {
        self.as_key() == (0, "")
    }
}

/// Dotted names and their values; absent ones are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Labels(Vec<(Cow<'static, str>, LabelValue)>);

impl Labels {
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn with(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<LabelValue>,
    ) -> Self {
        let value = value.into();
        if !value.is_absent() {
            self.0.push((name.into(), value));
        }
        self
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &LabelValue)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

/// A number: counts are kept exactly, also beyond what an `f64` can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Int(i128),
    Float(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// The sum of a histogram over all threads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Distribution {
    /// Upper bounds, ascending, all finite.
    pub(crate) bounds: Cow<'static, [f64]>,
    /// Of each bucket alone; one more than the bounds.
    pub(crate) counts: Vec<u64>,
    pub(crate) sum: f64,
    /// Of some buckets, with the bucket's index.
    pub(crate) exemplars: Vec<(usize, Exemplar)>,
    /// The same values in the buckets that the push has instead.
    pub(crate) exponential: Option<Exponential>,
}

impl Distribution {
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(crate) fn exemplar_of(&self, bucket: usize) -> Option<&Exemplar> {
        self.exemplars
            .iter()
            .find_map(|(at, exemplar)| (*at == bucket).then_some(exemplar))
    }
}

impl Totals {
    /// The same, with the bounds that it was counted by.
    pub(super) fn over(self, bounds: impl Into<Cow<'static, [f64]>>) -> Distribution {
        let exemplars = self.exemplars.into_iter().enumerate();
        Distribution {
            bounds: bounds.into(),
            counts: self.counts,
            sum: self.sum,
            exemplars: exemplars
                .filter_map(|(at, exemplar)| Some((at, exemplar?)))
                .collect(),
            exponential: self.exponential,
        }
    }
}

/// Quantiles that somebody else worked out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantiles {
    /// Quantile and value.
    pub(crate) values: Vec<(f64, f64)>,
    pub(crate) sum: f64,
    pub(crate) count: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    Number(Value),
    Distribution(Distribution),
    Quantiles(Quantiles),
}

/// One series.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) labels: Labels,
    pub(crate) data: Data,
    /// Milliseconds since the Unix epoch if it was measured at a time of its own, else 0.
    pub(crate) at_millis: i64,
    /// Nanoseconds since the Unix epoch from which it counts; 0 for the start of the process.
    pub(crate) since_nanos: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) description: Description,
    pub(crate) points: Vec<Point>,
}

impl Family {
    fn is_for(&self, audience: Audience) -> bool {
        let told = self.description.audience;
        told == Audience::Both || told == audience
    }

    pub(crate) fn number(&mut self, labels: Labels, value: impl Into<Value>) {
        self.point(labels, Data::Number(value.into()));
    }

    pub(crate) fn point(&mut self, labels: Labels, data: Data) {
        self.points.push(Point {
            labels,
            data,
            at_millis: 0,
            since_nanos: 0,
        });
    }
}

/// All families, in the order in which they are written.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) families: Vec<Family>,
    names: HashSet<String>,
    of_names: bool,
}

impl Snapshot {
    /// For the names of all families that there may ever be, also of those without a series yet.
    pub(crate) fn of_names() -> Snapshot {
        Snapshot {
            of_names: true,
            ..Snapshot::default()
        }
    }

    /// Whether families without a series belong here.
    pub(crate) fn is_of_names(&self) -> bool {
        self.of_names
    }

    /// Whether a family would be taken.
    pub(crate) fn takes(&self, description: &Description) -> bool {
        description.audience == Audience::Otlp
            || !description
                .claims()
                .iter()
                .any(|name| self.names.contains(name))
    }

    /// Starts a family. `None` when another one has one of its names already: a page that
    /// says a thing twice is refused as a whole, so the first stays.
    pub(crate) fn family(&mut self, description: Description) -> Option<&mut Family> {
        if !self.takes(&description) {
            return None;
        }
        if description.audience != Audience::Otlp {
            self.names.extend(description.claims());
        }
        self.families.push(Family {
            description,
            points: Vec::new(),
        });
        self.families.last_mut()
    }

    /// A family of one series without labels.
    pub(crate) fn number(&mut self, description: Description, value: impl Into<Value>) {
        if let Some(family) = self.family(description) {
            family.number(Labels::none(), value);
        }
    }

    /// The families that one audience is told of.
    pub(crate) fn families_for(&self, audience: Audience) -> impl Iterator<Item = &Family> {
        let families = self.families.iter();
        families.filter(move |family| family.is_for(audience))
    }

    pub(crate) fn families_for_mut(
        &mut self,
        audience: Audience,
    ) -> impl Iterator<Item = &mut Family> {
        let families = self.families.iter_mut();
        families.filter(move |family| family.is_for(audience))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_clash_on_the_page_are_refused() {
        let mut all = Snapshot::default();
        let mut takes = |kind, name| all.family(Description::new(kind, name, "", "")).is_some();
        assert!(takes(Kind::Histogram, "wait_seconds"));
        assert!(!takes(Kind::Counter, "wait_seconds"));
        assert!(!takes(Kind::Gauge, "wait_seconds_count"));
        assert!(takes(Kind::Gauge, "wait"));
        assert!(!takes(Kind::Counter, "wait"));
        assert!(takes(Kind::UntypedCounter, "wait_total"));
        assert!(!takes(Kind::Counter, "wait"));
    }

    #[test]
    fn what_only_otlp_is_told_takes_no_name_from_the_page() {
        let mut all = Snapshot::default();
        let gauge = |name| Description::new(Kind::Gauge, name, "", "");
        assert!(all.family(gauge("a.b").only_for(Audience::Otlp)).is_some());
        assert!(all.family(gauge("a_b").only_for(Audience::Page)).is_some());
        let names = |audience| -> Vec<_> {
            let families = all.families_for(audience);
            families
                .map(|family| family.description.name.clone())
                .collect()
        };
        assert_eq!(names(Audience::Otlp), ["a.b"]);
        assert_eq!(names(Audience::Page), ["a_b"]);
    }

    #[test]
    fn absent_labels_are_left_out() {
        let labels = Labels::none()
            .with("a", "")
            .with("b", 0)
            .with("c", 7)
            .with("d", "x");
        let names: Vec<_> = labels.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["c", "d"]);
    }
}

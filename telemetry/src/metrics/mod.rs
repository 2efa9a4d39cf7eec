//! Request, error and duration metrics of HTTP, and the page that shows every metric.
//!
//! Label values are closed sets: methods, routes that the service itself declared, status codes,
//! versions, schemes and error kinds. Nothing here keeps a value that a client chose.

mod accept;
mod active;
mod atomic;
mod delta;
mod exemplar;
mod exponential;
mod family;
mod fold;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod histogram;
mod http;
mod label_sets;
mod labels;
#[cfg(test)]
mod model;
mod names;
mod otlp;
mod own;
mod pipeline;
mod pools;
mod process;
mod push;
mod registry;
mod runtime;
mod series;
mod shards;
#[cfg(test)]
mod tests;
mod text;
mod work;

pub(crate) use self::active::ActiveCounter;
pub(crate) use self::exemplar::Exemplar;
pub(crate) use self::family::LabelValue;
pub(crate) use self::http::{
    BodySizes, ClientLabels, Finished, HttpClientMetrics, HttpHalves, HttpServerMetrics,
    ServerLabels,
};
pub(crate) use self::labels::{NameId, OTHER};
pub use self::own::{Counter, Histogram, Instrument, InstrumentError};
pub use self::pools::PoolState;
pub(crate) use self::push::Push;
pub(crate) use self::work::{Histogram as WorkHistogram, Work};

use self::family::{Audience, Description, Kind, Labels, Snapshot};
use self::own::Own;
use self::process::Process;
use self::runtime::Runtimes;
use crate::export::journal::Journal;
use crate::export::report::Report;
use crate::export::signal::Signal;
use crate::http::options::Options;
use crate::log::LineWriter;
use crate::settings::{ExemplarFilter, MetricsSettings};
use std::sync::{Arc, OnceLock};

/// A rendered metrics page, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsPage {
    /// The `Content-Type` of `body`.
    pub content_type: &'static str,
    /// The page.
    pub body: String,
}

/// All metrics of one service.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) server: HttpServerMetrics,
    pub(crate) client: HttpClientMetrics,
    exemplars: ExemplarFilter,
    own: Own,
    pub(crate) work: Work,
    process: Process,
    runtimes: Runtimes,
    registry: prometheus::Registry,
    /// Labels of `target_info`.
    target: Labels,
    /// What the push of metrics writes, if there is one.
    push: OnceLock<Arc<Journal>>,
}

impl Metrics {
    /// `resource` describes the service; its attributes become the labels of `target_info`.
    pub(crate) fn new(
        resource: &[(String, String)],
        settings: &MetricsSettings,
        http: &Options,
    ) -> Metrics {
        let exemplars = settings.exemplar_filter;
        let aggregation = settings.histogram_aggregation;
        let label =
            |(key, value): &(String, String)| (names::label(key), Arc::from(value.as_str()));
        let mut target: Vec<(String, Arc<str>)> = resource.iter().map(label).collect();
        // Two attributes can become one label; the first is kept.
        target.sort_by(|a, b| a.0.cmp(&b.0));
        target.dedup_by(|later, kept| later.0 == kept.0);
        let target = target
            .into_iter()
            .fold(Labels::none(), |labels, (name, value)| {
                labels.with(name, LabelValue::Shared(value))
            });
        Metrics {
            server: HttpServerMetrics::new(http, aggregation),
            client: HttpClientMetrics::new(http, aggregation),
            exemplars,
            own: Own::new(exemplars, aggregation),
            work: Work::new(aggregation),
            process: Process::default(),
            runtimes: Runtimes::new(aggregation),
            registry: prometheus::Registry::new(),
            target,
            push: OnceLock::new(),
        }
    }

    fn pushed_by(&self, journal: Arc<Journal>) {
        // There is one push.
        let _ = self.push.set(journal);
    }

    /// What the push of metrics says about itself.
    pub(crate) fn report(&self) -> Option<Report> {
        let journal = self.push.get()?;
        Some(journal.report(Signal::Metrics))
    }

    /// Where everything that is not an HTTP duration is registered.
    pub(crate) fn registry(&self) -> &prometheus::Registry {
        &self.registry
    }

    /// Whether what is measured in a span, sampled or not, becomes an exemplar.
    #[inline]
    pub(crate) fn takes_exemplar(&self, sampled: bool) -> bool {
        self.exemplars.takes(sampled)
    }

    pub(crate) fn observe_runtime(&self, name: &str, runtime: &tokio::runtime::Handle) {
        self.runtimes.observe(name, runtime);
    }

    /// Leaves the runtimes to themselves.
    pub(crate) fn stop_probes(&self) {
        self.runtimes.stop();
    }

    pub(crate) fn counter(
        &self,
        instrument: Instrument,
        reports: &[Report],
    ) -> Result<Counter, InstrumentError> {
        self.own.counter(instrument, self.names(reports))
    }

    pub(crate) fn histogram(
        &self,
        instrument: Instrument,
        bounds: &[f64],
        reports: &[Report],
    ) -> Result<Histogram, InstrumentError> {
        self.own.histogram(instrument, bounds, self.names(reports))
    }

    /// The names that the crate's own families have or may have.
    fn names(&self, reports: &[Report]) -> Snapshot {
        let mut names = Snapshot::of_names();
        self.gather(&mut names, reports);
        names
    }

    /// Everything at this instant; `reports` become the self-metrics. Of two families with one
    /// name the first stays, and ours come first.
    pub(crate) fn snapshot(&self, reports: &[Report]) -> Snapshot {
        let mut all = Snapshot::default();
        self.gather(&mut all, reports);
        self.own.gather(&mut all);
        registry::gather(&mut all, &self.registry);
        all
    }

    /// The crate's own families.
    fn gather(&self, all: &mut Snapshot, reports: &[Report]) {
        let target = Description::new(Kind::Info, "target", "", "Target metadata.");
        if let Some(family) = all.family(target.only_for(Audience::Page)) {
            family.number(self.target.clone(), 1_u64);
        }
        self.server.gather(all);
        self.client.gather(all);
        self.work.gather(all);
        pipeline::gather(all, reports);
        all.number(
            Description::new(
                Kind::Counter,
                "citywatch.log.lines.dropped",
                "{line}",
                "Log lines lost: standard output was too slow, or refused them.",
            ),
            LineWriter::stdout_dropped(),
        );
        all.number(
            Description::new(
                Kind::Counter,
                "citywatch.log.lines.suppressed",
                "{line}",
                "Log lines left out: one place in the code wrote too many in a short time.",
            ),
            crate::log::suppressed(),
        );
        self.process.gather(all);
        self.runtimes.gather(all);
    }

    /// The page in the form that `accept` prefers.
    pub(crate) fn page(&self, accept: Option<&str>, reports: &[Report]) -> MetricsPage {
        let format = accept::choose(accept);
        MetricsPage {
            content_type: format.content_type(),
            body: text::page(&self.snapshot(reports), format),
        }
    }
}

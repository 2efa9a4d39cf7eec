//! One service's telemetry: what it gives, and how it ends.

use crate::builder::Builder;
use crate::child::SpanLayer;
use crate::context::current::{self, Current};
use crate::context::{InCurrent, SpanId, TraceFlags, TraceId};
use crate::core::Alive;
use crate::counts::{ShutdownReport, SpanCounts};
use crate::export::collector::Deliveries;
use crate::http::Edge;
use crate::log::{self, FilterError};
use crate::metrics::{Counter, Histogram, Instrument, InstrumentError, MetricsPage, Push};
#[cfg(feature = "opentelemetry-sdk")]
use crate::otel::Providers;
use crate::pull::Pull;
use crate::sampling::Sampler;
use crate::service::Service;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// One service's telemetry. A handle: clones are cheap and share everything.
///
/// Keep one until [`shutdown`](Self::shutdown): once no handle is left, and no [`Edge`] and no layer,
/// the exporter goes on for a moment and ends. What a layer has made of a service keeps nothing alive.
#[derive(Debug, Clone)]
pub struct Telemetry {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) core: Arc<Alive>,
    pub(crate) way: Way,
    pub(crate) push: Option<Push>,
    pub(crate) log: Option<log::Handle>,
    #[cfg(feature = "opentelemetry-sdk")]
    pub(crate) providers: Providers,
    pub(crate) pull: Option<Pull>,
}

/// How spans leave.
#[derive(Debug)]
pub(crate) enum Way {
    /// A thread sends them.
    Thread,
    Memory(Arc<Deliveries>),
    Nowhere,
}

impl Telemetry {
    /// Telemetry as OpenTelemetry's defaults have it; the environment is not read.
    #[must_use]
    pub fn builder(service: Service) -> Builder {
        Builder::new(service)
    }

    /// Runs a future within a context that is not sampled: for housekeeping such as heartbeats,
    /// which is counted in metrics here and at the callee, and makes no traces.
    pub fn untraced<F: Future>(&self, future: F) -> InCurrent<F> {
        let span = Current {
            trace_id: TraceId::random(),
            span_id: SpanId::random(),
            flags: TraceFlags::RANDOM,
            core: Arc::clone(&self.inner.core),
            carried: None,
        };
        let otel = span.to_otel();
        current::in_context(span, otel, future)
    }

    /// Spans of `tracing` for a subscriber of your own; outside any context they belong to this
    /// service. See [`SpanLayer`] for more.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        SpanLayer::new().with_root(self).build()
    }

    pub(crate) fn core(&self) -> &Arc<Alive> {
        &self.inner.core
    }

    #[cfg(feature = "opentelemetry-sdk")]
    pub(crate) fn providers(&self) -> &Providers {
        &self.inner.providers
    }

    /// Server and client spans for a server that is not built on tower.
    #[must_use]
    pub fn edge(&self) -> Edge {
        Edge::new(Arc::clone(&self.inner.core))
    }

    /// Where everything that is not an HTTP duration is registered.
    #[must_use]
    pub fn registry(&self) -> &prometheus::Registry {
        self.inner.core.metrics.registry()
    }

    /// Shows how a tokio runtime fares, under this name: its workers and tasks, and how late it
    /// comes back to a task whose time has come, which a task of this crate's tries out twice a
    /// second. At most 64 runtimes; of two with one name the later is shown.
    pub fn observe_runtime(&self, name: &str, runtime: &tokio::runtime::Handle) {
        self.inner.core.metrics.observe_runtime(name, runtime);
    }

    /// A counter of the service's own. Each series is there from now on, at zero, so that the first
    /// event shows in a rate.
    ///
    /// # Errors
    /// If it has a name or labels that cannot be, or another one has its name.
    pub fn counter(&self, instrument: Instrument) -> Result<Counter, InstrumentError> {
        let core = &self.inner.core;
        core.metrics.counter(instrument, &core.reports())
    }

    /// A histogram of the service's own, with an exemplar for each bucket. `bounds` are the upper
    /// ends of its buckets, ascending, in the instrument's unit.
    ///
    /// # Errors
    /// As [`counter`](Self::counter), or if the bounds are not ascending.
    pub fn histogram(
        &self,
        instrument: Instrument,
        bounds: &[f64],
    ) -> Result<Histogram, InstrumentError> {
        let core = &self.inner.core;
        core.metrics.histogram(instrument, bounds, &core.reports())
    }

    /// All metrics: OpenMetrics with exemplars or Prometheus text, as `accept` prefers.
    #[must_use]
    pub fn metrics_page(&self, accept: Option<&str>) -> MetricsPage {
        self.inner.core.metrics_page(accept)
    }

    /// Where `OTEL_METRICS_EXPORTER=prometheus` has the metrics page served, under `/metrics`.
    #[must_use]
    pub fn prometheus_address(&self) -> Option<SocketAddr> {
        self.inner.pull.as_ref().map(Pull::address)
    }

    /// Changes which traces are recorded, for spans that begin from now on. What a trace under way
    /// was told stands, as far as the sampler keeps parents' decisions.
    pub fn set_sampler(&self, sampler: &Sampler) {
        self.inner.core.sampling().replace(sampler);
    }

    /// Changes at once which log lines the process writes, in the grammar of
    /// `tracing_subscriber::EnvFilter`. Built without a subscriber, it changes nothing.
    ///
    /// # Errors
    /// If the directives are not understood; the old ones stay.
    pub fn set_log_filter(&self, directives: &str) -> Result<(), FilterError> {
        self.inner
            .log
            .as_ref()
            .map_or(Ok(()), |log| log.set_filter(directives))
    }

    /// What became of every span so far.
    #[must_use]
    pub fn counts(&self) -> SpanCounts {
        self.inner.core.spool.counts()
    }

    /// What became of every log record that was to leave by OTLP. All zero unless
    /// `OTEL_LOGS_EXPORTER` says so.
    #[must_use]
    pub fn log_counts(&self) -> SpanCounts {
        let records = self.inner.core.records.as_ref();
        records.map_or(SpanCounts::default(), |records| records.counts())
    }

    /// Sends what waits, and returns once that is done or one attempt has failed.
    pub async fn flush(&self) {
        self.sum_up_log();
        let records = async {
            if let Some(records) = &self.inner.core.records {
                records.flush().await;
            }
        };
        tokio::join!(self.flush_spans(), self.push_metrics(), records);
    }

    async fn flush_spans(&self) {
        let spool = &self.inner.core.spool;
        match &self.inner.way {
            Way::Thread => spool.flush().await,
            Way::Memory(deliveries) => spool.deliver_to(deliveries),
            Way::Nowhere => {}
        }
    }

    async fn push_metrics(&self) {
        if let Some(push) = &self.inner.push {
            push.flush().await;
        }
    }

    fn sum_up_log(&self) {
        if let Some(log) = &self.inner.log {
            log.sum_up();
        }
    }

    /// Takes no more spans and log records, sends what waits and returns by the deadline at the
    /// latest. Whatever is not delivered by then is counted as lost.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let begun = Instant::now();
        let before = self.counts().exported;
        self.sum_up_log();
        let spool = &self.inner.core.spool;
        spool.close(begun + deadline);
        let spans = async {
            match &self.inner.way {
                // Running into the deadline is an outcome, not an error.
                Way::Thread => drop(tokio::time::timeout(deadline, spool.ended()).await),
                Way::Memory(_) | Way::Nowhere => self.flush_spans().await,
            }
            spool.give_up();
        };
        let metrics = async {
            if let Some(push) = &self.inner.push {
                push.shutdown(begun + deadline).await;
            }
        };
        let records = async {
            if let Some(records) = &self.inner.core.records {
                records.shutdown(deadline).await;
            }
        };
        let providers = async {
            #[cfg(feature = "opentelemetry-sdk")]
            self.inner.providers.shutdown(deadline).await;
        };
        tokio::join!(spans, metrics, records, providers);
        self.inner.core.metrics.stop_probes();
        self.sum_up_log();
        // Last, for whatever the others had to say. It has a moment even when they took all.
        let left = deadline.saturating_sub(begun.elapsed());
        log::flush_stdout(left.max(Duration::from_millis(50))).await;
        let spans = self.counts();
        ShutdownReport {
            spans,
            flushed: spans.exported - before,
            logs: self.log_counts(),
            elapsed: begun.elapsed(),
        }
    }
}

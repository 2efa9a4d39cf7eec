//! One service's telemetry, and how it is built.

use crate::child::{self, SpanLayer};
use crate::context::current::{self, Current};
use crate::context::{InCurrent, SpanId, TraceFlags, TraceId};
use crate::core::{Core, SCHEMA_URL, Signals};
use crate::counts::{ShutdownReport, SpanCounts};
use crate::export::client::Client;
use crate::export::collector::Deliveries;
use crate::export::exit::Exit;
use crate::export::signal::Signal;
use crate::export::spool::Spool;
use crate::export::{self, Exporter, OtlpError};
use crate::http::options::Options;
use crate::http::{Edge, OptionsError};
use crate::log::records::Records;
use crate::log::{self, FilterError, Format, RepeatLimit};
use crate::metrics::{Counter, Histogram, Instrument, InstrumentError, Metrics, MetricsPage, Push};
#[cfg(feature = "opentelemetry-sdk")]
use crate::otel::Providers;
use crate::pull::Pull;
use crate::sampling::Sampler;
use crate::service::{self, Service};
use crate::settings::{Otlp, Settings, SettingsError};
use crate::subscriber;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// A variable of the environment is not understood.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The log filter is not understood.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Another crate has installed a `tracing` subscriber before.
    #[error("another tracing subscriber is installed already")]
    Subscriber,
    /// The endpoint of a signal cannot be used.
    #[error("{signal} cannot be exported: {source}")]
    Otlp {
        /// Traces, metrics or logs.
        signal: &'static str,
        /// Why not.
        source: OtlpError,
    },
    /// The metrics page cannot be served.
    #[error(
        "metrics cannot be served on {host}:{port}: {source} \
         (set OTEL_EXPORTER_PROMETHEUS_HOST, OTEL_EXPORTER_PROMETHEUS_PORT)"
    )]
    Prometheus {
        /// `OTEL_EXPORTER_PROMETHEUS_HOST`.
        host: String,
        /// `OTEL_EXPORTER_PROMETHEUS_PORT`.
        port: u16,
        /// What the system said.
        source: std::io::Error,
    },
    /// A choice about HTTP cannot be.
    #[error(transparent)]
    Http(#[from] OptionsError),
    /// The exporter's thread could not be started.
    #[error("the exporter cannot start: {0}")]
    Exporter(#[source] std::io::Error),
}

/// Sets telemetry up as the `OTEL_*` variables say, and installs the process's `tracing`
/// subscriber. A second call in the process, for another service, shares the subscriber.
///
/// # Errors
/// If a variable is not understood, or something else has installed a subscriber.
pub fn init(service: Service) -> Result<Telemetry, InitError> {
    Telemetry::builder(service)
        .settings(Settings::from_env()?)
        .build()
}

/// Sets telemetry up piece by piece. See [`Telemetry::builder`].
#[derive(Debug)]
pub struct Builder {
    service: Service,
    settings: Settings,
    exporter: Option<Exporter>,
    subscriber: bool,
}

impl Builder {
    /// Settings from elsewhere than the environment.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Builder {
        self.settings = settings;
        self
    }

    /// Where spans go, whatever the settings say.
    #[must_use]
    pub fn exporter(mut self, exporter: Exporter) -> Builder {
        self.exporter = Some(exporter);
        self
    }

    /// How log lines look.
    #[must_use]
    pub fn log_format(mut self, format: Format) -> Builder {
        self.settings.log_format = format;
        self
    }

    /// Which log lines are written, in the grammar of `tracing_subscriber::EnvFilter`.
    #[must_use]
    pub fn log_filter(mut self, directives: impl Into<String>) -> Builder {
        self.settings.log_filter = directives.into();
        self
    }

    /// How often one place in the code may log at `WARN` or `ERROR`; `None` for without end.
    #[must_use]
    pub fn log_repeats(mut self, limit: Option<RepeatLimit>) -> Builder {
        self.settings.log_repeats = limit;
        self
    }

    /// Makes panics log lines with the ids of the request, in place of text on stderr. It concerns
    /// the whole process.
    #[must_use]
    pub fn log_panics(mut self) -> Builder {
        self.settings.log_panics = true;
        self
    }

    /// Makes the OpenTelemetry API's current context follow ours from the beginning: for code that
    /// reads or propagates it by itself. Whoever asks for a provider, or for the span processor,
    /// switches it on as well; for others it would be a cost without a use.
    #[must_use]
    pub fn opentelemetry_context(mut self) -> Builder {
        self.settings.opentelemetry_context = true;
        self
    }

    /// Leaves the process's `tracing` subscriber alone: no log lines, no spans of
    /// `#[tracing::instrument]`, unless [`layer`](crate::layer) is used.
    #[must_use]
    pub fn without_subscriber(mut self) -> Builder {
        self.subscriber = false;
        self
    }

    /// Starts the exporter and installs the subscriber.
    ///
    /// # Errors
    /// If the log filter or a choice about HTTP is not understood, something else has installed a
    /// subscriber, an endpoint cannot be used, or no thread can be started.
    pub fn build(self) -> Result<Telemetry, InitError> {
        let Builder {
            service,
            settings,
            exporter,
            subscriber,
        } = self;
        let service = service.named_by(&settings);
        let attributes = service.attributes(&settings);
        let http = Options::new(&settings)?;
        let traces = match &exporter {
            None => exit(&settings, Signal::Traces)?,
            Some(Exporter::Otlp(otlp)) => {
                Exit::new(Signal::Traces, false, vec![client(otlp, Signal::Traces)?])
            }
            Some(Exporter::Collector(_) | Exporter::None) => None,
        };
        let metrics = exit(&settings, Signal::Metrics)?;
        let logs = exit(&settings, Signal::Logs)?;
        let log = if subscriber {
            Some(subscriber::install(&settings, service.name())?)
        } else {
            None
        };
        for ignored in &settings.ignored {
            let (variable, value) = (&ignored.variable, &ignored.value);
            let expected = ignored.expected;
            tracing::warn!(variable, value, expected, "variable is ignored");
        }
        let resource = service::encode_resource(&attributes, &settings.entities);
        let spool = Spool::new(Signal::Traces, settings.traces.queue, &resource, SCHEMA_URL);
        let (way, last_words) = match (exporter, traces) {
            (Some(Exporter::Collector(deliveries)), _) => {
                deliveries.attach(&spool);
                (Way::Memory(deliveries), Duration::ZERO)
            }
            (_, Some(exit)) => {
                let last_words = exit.timeout();
                export::spawn(Arc::clone(&spool), exit).map_err(InitError::Exporter)?;
                (Way::Thread, last_words)
            }
            (_, None) => (Way::Nowhere, Duration::ZERO),
        };
        let recording = !matches!(way, Way::Nowhere);
        let records = logs
            .map(|exit| Records::start(exit, &settings.logs, &resource))
            .transpose()
            .map_err(InitError::Exporter)?;
        if let (Some(log), Some(records)) = (&log, &records) {
            log.export_to(service.name(), records);
        }
        let signals = Signals {
            spool,
            metrics: Metrics::new(&attributes, &settings.metrics, &http),
            records,
        };
        let core = Core::new(service, &settings, recording, last_words, http, signals);
        let core = Arc::new(core);
        let push = metrics
            .map(|exit| Push::spawn(&core, exit, &settings.metrics, resource))
            .transpose()
            .map_err(InitError::Exporter)?;
        if log.is_some() {
            child::announce(&core);
        }
        let pull = settings.metrics.prometheus.as_ref();
        let pull = pull
            .map(|at| {
                Pull::start(at, &core).map_err(|source| InitError::Prometheus {
                    host: at.host.clone(),
                    port: at.port,
                    source,
                })
            })
            .transpose()?;
        Ok(Telemetry {
            inner: Arc::new(Inner {
                #[cfg(feature = "opentelemetry-sdk")]
                providers: Providers::new(&core, &settings, &attributes),
                core,
                way,
                push,
                log,
                pull,
            }),
        })
    }
}

/// Every way out that the settings name for a signal.
fn exit(settings: &Settings, signal: Signal) -> Result<Option<Exit>, InitError> {
    let (otlp, console) = match signal {
        Signal::Traces => (&settings.traces.otlp, settings.traces.console),
        Signal::Metrics => (&settings.metrics.otlp, settings.metrics.console),
        Signal::Logs => (&settings.logs.otlp, settings.logs.console),
    };
    let mut clients = Vec::new();
    if let Some(otlp) = otlp {
        clients.push(client(otlp, signal)?);
    }
    if let (Signal::Traces, Some(zipkin)) = (signal, &settings.traces.zipkin) {
        clients.push(Client::zipkin(zipkin).map_err(|source| unusable(signal, source))?);
    }
    Ok(Exit::new(signal, console, clients))
}

fn client(otlp: &Otlp, signal: Signal) -> Result<Client, InitError> {
    Client::new(otlp.clone(), signal).map_err(|source| unusable(signal, source))
}

fn unusable(signal: Signal, source: OtlpError) -> InitError {
    InitError::Otlp {
        signal: signal.as_str(),
        source,
    }
}

/// One service's telemetry. A handle: clones are cheap and share everything.
#[derive(Debug, Clone)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Arc<Core>,
    way: Way,
    push: Option<Push>,
    log: Option<log::Handle>,
    #[cfg(feature = "opentelemetry-sdk")]
    providers: Providers,
    pull: Option<Pull>,
}

/// How spans leave.
#[derive(Debug)]
enum Way {
    /// A thread sends them.
    Thread,
    Memory(Arc<Deliveries>),
    Nowhere,
}

impl Telemetry {
    /// Telemetry as OpenTelemetry's defaults have it; the environment is not read.
    #[must_use]
    pub fn builder(service: Service) -> Builder {
        Builder {
            service,
            settings: Settings::default(),
            exporter: None,
            subscriber: true,
        }
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

    pub(crate) fn core(&self) -> &Arc<Core> {
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

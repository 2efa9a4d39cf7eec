//! How one service's telemetry is set up.

use crate::child;
use crate::core::{Alive, Core, SCHEMA_URL, Signals};
use crate::export::client::Client;
use crate::export::exit::Exit;
use crate::export::signal::Signal;
use crate::export::spool::Spool;
use crate::export::{self, Exporter, OtlpError};
use crate::http::OptionsError;
use crate::http::options::Options;
use crate::log::records::Records;
use crate::log::{FilterError, Format, RepeatLimit};
use crate::metrics::{Metrics, Push};
#[cfg(feature = "opentelemetry-sdk")]
use crate::otel::Providers;
use crate::pull::Pull;
use crate::service::{self, Service};
use crate::settings::{Otlp, Settings, SettingsError};
use crate::subscriber;
use crate::telemetry::{Inner, Telemetry, Way};
use std::sync::Arc;
use std::time::Duration;

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
    pub(crate) fn new(service: Service) -> Builder {
        Builder {
            service,
            settings: Settings::default(),
            exporter: None,
            subscriber: true,
        }
    }

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
        let core = Alive::new(core);
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

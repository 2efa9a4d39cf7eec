//! How a service's telemetry is set up, in code or by the `OTEL_*` variables.
//!
#![doc = include_str!("../../docs/environment.md")]

mod entities;
mod env;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod limits;
mod logs;
mod metrics;
mod otlp;
mod page;
mod pairs;
mod propagators;
mod resource;
mod sampler;
mod table;
#[cfg(test)]
mod tests;
mod traces;

use crate::context::Propagators;
use crate::log::{Format, RepeatLimit};
use env::Environment;
use tracing::level_filters::LevelFilter;

pub use crate::sampling::Sampler;
pub use crate::span::limits::Limits;
pub use entities::Entity;
pub use logs::{LogLimits, LogsSettings};
pub use metrics::{ExemplarFilter, HistogramAggregation, MetricsSettings, Prometheus, Temporality};
pub use otlp::{Compression, Otlp, Protocol, Tls};
pub use page::page;
pub use traces::{Queue, TracesSettings, Zipkin};

/// How a service's telemetry is set up. The default is what unset variables ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `OTEL_SERVICE_NAME`: overrides the name in code.
    pub service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`: added to the resource; what code sets wins.
    pub resource_attributes: Vec<(String, String)>,
    /// `OTEL_ENTITIES`: added to the resource where nothing else has said otherwise.
    pub entities: Vec<Entity>,
    /// `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`.
    pub sampler: Sampler,
    /// `OTEL_PROPAGATORS`.
    pub propagators: Propagators,
    /// How spans leave.
    pub traces: TracesSettings,
    /// How metrics leave, besides the metrics page.
    pub metrics: MetricsSettings,
    /// How log records leave, besides the lines on stdout.
    pub logs: LogsSettings,
    /// `OTEL_SPAN_*`, `OTEL_EVENT_*`, `OTEL_LINK_*`, `OTEL_ATTRIBUTE_*`: what one span may hold.
    pub limits: Limits,
    /// `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS`: the HTTP methods that are recorded by name, in
    /// place of those that the semantic conventions know; all others are `_OTHER`. 31 at most.
    pub known_methods: Option<Vec<String>>,
    /// Headers of requests, in and out, that become span attributes, as
    /// `http.request.header.<name>`. None by default: what is named here is recorded as it is,
    /// secrets too. The specification has no variable for it.
    pub capture_request_headers: Vec<String>,
    /// The same of responses, as `http.response.header.<name>`.
    pub capture_response_headers: Vec<String>,
    /// Sizes of HTTP bodies are measured, in `http.server.request.body.size` and its like, and
    /// become span attributes. The semantic conventions leave both to choice, and so they are off by
    /// default.
    pub body_sizes: bool,
    /// How log lines on stdout look.
    pub log_format: Format,
    /// `RUST_LOG`, in the grammar of `tracing_subscriber::EnvFilter`.
    pub log_filter: String,
    /// How often one place in the code may log at `WARN` or `ERROR`; `None` for without end.
    pub log_repeats: Option<RepeatLimit>,
    /// `OTEL_LOG_LEVEL`: the least severe log lines of this crate itself, in place of what the
    /// filter says about them.
    pub log_level: Option<LevelFilter>,
    /// Panics become log lines with the ids of the request, in place of text on stderr.
    pub log_panics: bool,
    /// The OpenTelemetry API's current context follows ours also before the service asks for one of
    /// its providers.
    pub opentelemetry_context: bool,
    /// Variables with values that were not understood and are as if unset, which the specification
    /// demands for numbers and enums. Telemetry warns of each when it starts.
    pub ignored: Vec<SettingsError>,
}

/// A variable that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}={value:?} is not supported: expected {expected}")]
pub struct SettingsError {
    /// Its name.
    pub variable: String,
    /// Its value; headers are left out, they may hold secrets.
    pub value: String,
    /// What would have been understood.
    pub expected: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            service_name: None,
            resource_attributes: Vec::new(),
            entities: Vec::new(),
            sampler: Sampler::default(),
            propagators: Propagators::default(),
            traces: TracesSettings::default(),
            metrics: MetricsSettings::default(),
            logs: LogsSettings::default(),
            limits: Limits::default(),
            known_methods: None,
            capture_request_headers: Vec::new(),
            capture_response_headers: Vec::new(),
            body_sizes: false,
            log_format: Format::default(),
            log_filter: "info".to_owned(),
            log_repeats: Some(RepeatLimit::default()),
            log_level: None,
            log_panics: false,
            opentelemetry_context: false,
            ignored: Vec::new(),
        }
    }
}

impl Settings {
    /// The settings that the process's environment asks for.
    ///
    /// # Errors
    /// If a variable asks for something that this crate cannot do: a telemetry that quietly does
    /// something else than it was told is worse than none. Where the specification wants a value
    /// [ignored](Settings::ignored), it is no error.
    pub fn from_env() -> Result<Settings, SettingsError> {
        Settings::from_vars(|name| std::env::var(name).ok())
    }

    /// The same, from any source of variables.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_vars(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let env = Environment::new(&variable);
        for name in ["OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"] {
            if let Some(file) = env.text(name) {
                return Err(env::error(name, &file));
            }
        }
        let defaults = Settings::default();
        let mut settings = Settings {
            service_name: env.text("OTEL_SERVICE_NAME"),
            resource_attributes: resource::read(&env),
            entities: entities::read(&env),
            sampler: sampler::read(&env)?,
            propagators: propagators::read(&env),
            traces: traces::read(&env)?,
            metrics: metrics::read(&env)?,
            logs: logs::read(&env)?,
            limits: limits::spans(&env),
            known_methods: known_methods(&env),
            capture_request_headers: defaults.capture_request_headers,
            capture_response_headers: defaults.capture_response_headers,
            body_sizes: defaults.body_sizes,
            log_format: defaults.log_format,
            log_filter: env.text("RUST_LOG").unwrap_or(defaults.log_filter),
            log_repeats: defaults.log_repeats,
            log_level: log_level(&env),
            log_panics: defaults.log_panics,
            opentelemetry_context: defaults.opentelemetry_context,
            ignored: Vec::new(),
        };
        if env.boolean("OTEL_SDK_DISABLED") {
            settings.disable();
        }
        settings.ignored = env.into_ignored();
        Ok(settings)
    }
}

impl Settings {
    /// Nothing leaves, for no signal.
    fn disable(&mut self) {
        (self.traces.otlp, self.traces.console, self.traces.zipkin) = (None, false, None);
        (self.metrics.otlp, self.metrics.console) = (None, false);
        self.metrics.prometheus = None;
        (self.logs.otlp, self.logs.console) = (None, false);
    }
}

/// The names of `tracing`, and those of other OpenTelemetry SDKs.
fn log_level(env: &Environment<'_>) -> Option<LevelFilter> {
    let words = [
        ("none", LevelFilter::OFF),
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    env.one_of("OTEL_LOG_LEVEL", &words)
}

/// Case-sensitive, by the
/// [convention](https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span).
fn known_methods(env: &Environment<'_>) -> Option<Vec<String>> {
    let list = env.text("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS")?;
    let methods = list.split(',').map(str::trim);
    let methods = methods.filter(|method| !method.is_empty());
    Some(methods.map(str::to_owned).collect())
}

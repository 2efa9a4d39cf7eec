//! How a service's telemetry is set up, in code or by the `OTEL_*` variables.

mod env;

use crate::context::Propagators;
use crate::log::Format;
use http::{HeaderName, HeaderValue, Uri};
use std::time::Duration;

pub use crate::span::limits::Limits;
pub use env::SettingsError;

/// How a service's telemetry is set up. The default is what OpenTelemetry specifies for unset
/// variables, with a queue bounded by bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `OTEL_SERVICE_NAME`: overrides the name in code.
    pub service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`: added to the resource; what code sets wins.
    pub resource_attributes: Vec<(String, String)>,
    /// `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`.
    pub sampler: Sampler,
    /// `OTEL_PROPAGATORS`.
    pub propagators: Propagators,
    /// `OTEL_TRACES_EXPORTER`.
    pub traces_exporter: TracesExporter,
    /// `OTEL_EXPORTER_OTLP_*`, as far as they concern traces.
    pub otlp: Otlp,
    /// `OTEL_METRICS_EXPORTER=otlp`: where metrics of the OpenTelemetry API go. By default nowhere.
    pub metrics_otlp: Option<Otlp>,
    /// `OTEL_LOGS_EXPORTER=otlp`: where logs of the OpenTelemetry API go. By default nowhere.
    pub logs_otlp: Option<Otlp>,
    /// `OTEL_BSP_*` and the bound in bytes.
    pub queue: Queue,
    /// How much one span may say.
    pub limits: Limits,
    /// Log lines on stdout.
    pub log_format: Format,
    /// `RUST_LOG`, in the grammar of `tracing_subscriber::EnvFilter`.
    pub log_filter: String,
}

/// Where spans go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TracesExporter {
    /// To an OTLP endpoint.
    #[default]
    Otlp,
    /// Nowhere: contexts still travel, nothing is recorded.
    None,
}

/// Which traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// The share of traces that begin here, 0 to 1.
    pub ratio: f64,
    /// A caller's decision is kept; otherwise every span is decided anew.
    pub parent_based: bool,
}

/// An OTLP endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Otlp {
    /// Whole URL; for HTTP with the path. For traces by default `http://localhost:4318/v1/traces`.
    pub endpoint: Uri,
    /// The wire protocol.
    pub protocol: Protocol,
    /// Sent with each request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Of one attempt.
    pub timeout: Duration,
    /// Of request bodies.
    pub compression: Compression,
}

/// How OTLP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Protobuf over HTTP/1.1.
    #[default]
    HttpProtobuf,
    /// gRPC over HTTP/2 without TLS.
    Grpc,
}

/// How request bodies are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
}

/// The bounds between a span's end and its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Bytes that wait at most; beyond it spans are dropped and counted.
    pub max_bytes: usize,
    /// `OTEL_BSP_MAX_QUEUE_SIZE`: spans that wait at most, if set.
    pub max_spans: Option<u64>,
    /// `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`: spans in one request at most.
    pub max_batch_spans: u64,
    /// `OTEL_BSP_SCHEDULE_DELAY`: a span waits no longer for company.
    pub schedule_delay: Duration,
    /// A request is tried again for no longer than this.
    pub retry_for: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            service_name: None,
            resource_attributes: Vec::new(),
            sampler: Sampler::default(),
            propagators: Propagators::default(),
            traces_exporter: TracesExporter::default(),
            otlp: Otlp::default(),
            metrics_otlp: None,
            logs_otlp: None,
            queue: Queue::default(),
            limits: Limits::default(),
            log_format: Format::default(),
            log_filter: "info".to_owned(),
        }
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Sampler {
            ratio: 1.0,
            parent_based: true,
        }
    }
}

impl Default for Otlp {
    fn default() -> Self {
        Otlp {
            endpoint: Uri::from_static("http://localhost:4318/v1/traces"),
            protocol: Protocol::default(),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            compression: Compression::default(),
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            max_bytes: 8 * 1024 * 1024,
            max_spans: None,
            max_batch_spans: 512,
            schedule_delay: Duration::from_secs(5),
            retry_for: Duration::from_secs(300),
        }
    }
}

impl Settings {
    /// The settings that the process's environment asks for.
    ///
    /// # Errors
    /// If a variable has a value that this crate does not understand or support: a telemetry that
    /// quietly does something else than it was told is worse than none.
    pub fn from_env() -> Result<Settings, SettingsError> {
        Settings::from_vars(|name| std::env::var(name).ok())
    }

    /// The same, from any source of variables.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_vars(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        env::read(&variable)
    }
}

//! How metrics leave, besides the metrics page.

use super::env::Environment;
use super::{Otlp, SettingsError, otlp};
use crate::export::signal::Signal;
use std::time::Duration;

/// How metrics leave, besides the page that [`Telemetry::metrics_page`](crate::Telemetry::metrics_page)
/// gives.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricsSettings {
    /// `OTEL_METRICS_EXPORTER=otlp`, `OTEL_EXPORTER_OTLP_*`. By default nowhere.
    pub otlp: Option<Otlp>,
    /// `OTEL_METRICS_EXPORTER=console`: to stdout, each push as one line of OTLP's JSON.
    pub console: bool,
    /// `OTEL_METRICS_EXPORTER=prometheus`, `OTEL_EXPORTER_PROMETHEUS_*`: a listener whose
    /// `/metrics` is the metrics page.
    pub prometheus: Option<Prometheus>,
    /// `OTEL_METRIC_EXPORT_INTERVAL`: from the start of one push to the next.
    pub interval: Duration,
    /// `OTEL_METRIC_EXPORT_TIMEOUT`: of one push with all its attempts.
    pub timeout: Duration,
    /// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`.
    pub temporality: Temporality,
    /// `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION`.
    pub histogram_aggregation: HistogramAggregation,
    /// `OTEL_METRICS_EXEMPLAR_FILTER`.
    pub exemplar_filter: ExemplarFilter,
}

/// Where the metrics page is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prometheus {
    /// A name or an address of this machine, by default `localhost`.
    pub host: String,
    /// By default 9464; 0 takes any that is free.
    pub port: u16,
}

impl Default for Prometheus {
    fn default() -> Self {
        Prometheus {
            host: "localhost".to_owned(),
            port: 9464,
        }
    }
}

/// What a pushed number counts from, by the
/// [specification](https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/#additional-environment-variable-configuration).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Temporality {
    /// From the start of the process, for all instruments.
    #[default]
    Cumulative,
    /// From the last push, for counters and histograms; up-down counters stay cumulative.
    Delta,
    /// From the last push, for synchronous counters and histograms; all others stay cumulative.
    LowMemory,
}

/// How histograms are pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HistogramAggregation {
    /// With the bounds that the instrument has.
    #[default]
    ExplicitBucket,
    /// With bounds that follow the values: base-2 exponential, at most 160 buckets.
    Base2Exponential,
}

/// Which measurements may become exemplars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExemplarFilter {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// Those within a sampled trace.
    #[default]
    TraceBased,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        MetricsSettings {
            otlp: None,
            console: false,
            prometheus: None,
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(30),
            temporality: Temporality::default(),
            histogram_aggregation: HistogramAggregation::default(),
            exemplar_filter: ExemplarFilter::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exporter {
    Otlp,
    Console,
    Prometheus,
    None,
}

pub(super) fn read(env: &Environment<'_>) -> Result<MetricsSettings, SettingsError> {
    let defaults = MetricsSettings::default();
    let words = [
        ("otlp", Exporter::Otlp),
        ("console", Exporter::Console),
        ("logging", Exporter::Console),
        ("otlp/stdout", Exporter::Console),
        ("prometheus", Exporter::Prometheus),
        ("none", Exporter::None),
    ];
    let exporters = env.list_of("OTEL_METRICS_EXPORTER", &words);
    let exporters = exporters.unwrap_or_default();
    let otlp = otlp::read(env, Signal::Metrics)?;
    let temporality = env.one_of(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        &[
            ("cumulative", Temporality::Cumulative),
            ("delta", Temporality::Delta),
            ("lowmemory", Temporality::LowMemory),
        ],
    );
    let histogram_aggregation = env.one_of(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        &[
            (
                "explicit_bucket_histogram",
                HistogramAggregation::ExplicitBucket,
            ),
            (
                "base2_exponential_bucket_histogram",
                HistogramAggregation::Base2Exponential,
            ),
        ],
    );
    let exemplar_filter = env.one_of(
        "OTEL_METRICS_EXEMPLAR_FILTER",
        &[
            ("always_on", ExemplarFilter::AlwaysOn),
            ("always_off", ExemplarFilter::AlwaysOff),
            ("trace_based", ExemplarFilter::TraceBased),
        ],
    );
    // Without any interval the exporter would never rest.
    let interval = env.duration("OTEL_METRIC_EXPORT_INTERVAL");
    let interval = interval.map(|interval| interval.max(Duration::from_millis(1)));
    let prometheus = prometheus(env);
    Ok(MetricsSettings {
        otlp: exporters.contains(&Exporter::Otlp).then_some(otlp),
        console: exporters.contains(&Exporter::Console),
        prometheus: exporters
            .contains(&Exporter::Prometheus)
            .then_some(prometheus),
        interval: interval.unwrap_or(defaults.interval),
        timeout: env
            .timeout("OTEL_METRIC_EXPORT_TIMEOUT")
            .unwrap_or(defaults.timeout),
        temporality: temporality.unwrap_or_default(),
        histogram_aggregation: histogram_aggregation.unwrap_or_default(),
        exemplar_filter: exemplar_filter.unwrap_or_default(),
    })
}

fn prometheus(env: &Environment<'_>) -> Prometheus {
    let defaults = Prometheus::default();
    let host = env.text("OTEL_EXPORTER_PROMETHEUS_HOST");
    let port = env.parse("OTEL_EXPORTER_PROMETHEUS_PORT", |value| value.parse().ok());
    Prometheus {
        host: host.unwrap_or(defaults.host),
        port: port.unwrap_or(defaults.port),
    }
}

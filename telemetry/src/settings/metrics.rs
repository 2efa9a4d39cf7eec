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
    /// With bounds that follow the values.
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
    None,
}

pub(super) fn read(env: &Environment<'_>) -> Result<MetricsSettings, SettingsError> {
    let defaults = MetricsSettings::default();
    let words = [("otlp", Exporter::Otlp), ("none", Exporter::None)];
    let exporters = env.list_of("OTEL_METRICS_EXPORTER", "otlp or none", &words);
    let exporters = exporters.unwrap_or_default();
    let otlp = otlp::read(env, Signal::Metrics)?;
    let temporality = env.one_of(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "cumulative, delta or lowmemory",
        &[
            ("cumulative", Temporality::Cumulative),
            ("delta", Temporality::Delta),
            ("lowmemory", Temporality::LowMemory),
        ],
    );
    let histogram_aggregation = env.one_of(
        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "explicit_bucket_histogram or base2_exponential_bucket_histogram",
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
        "always_on, always_off or trace_based",
        &[
            ("always_on", ExemplarFilter::AlwaysOn),
            ("always_off", ExemplarFilter::AlwaysOff),
            ("trace_based", ExemplarFilter::TraceBased),
        ],
    );
    // Without any interval the exporter would never rest.
    let interval = env.duration("OTEL_METRIC_EXPORT_INTERVAL");
    let interval = interval.map(|interval| interval.max(Duration::from_millis(1)));
    Ok(MetricsSettings {
        otlp: exporters.contains(&Exporter::Otlp).then_some(otlp),
        interval: interval.unwrap_or(defaults.interval),
        timeout: env
            .timeout("OTEL_METRIC_EXPORT_TIMEOUT")
            .unwrap_or(defaults.timeout),
        temporality: temporality.unwrap_or_default(),
        histogram_aggregation: histogram_aggregation.unwrap_or_default(),
        exemplar_filter: exemplar_filter.unwrap_or_default(),
    })
}

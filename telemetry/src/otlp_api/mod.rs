//! OTLP export of what users record through the OpenTelemetry metrics and logs APIs.
//!
//! Our own spans, metrics and log lines never pass here. A provider starts, with threads of
//! its own, when it is asked for the first time; without an endpoint in the settings it
//! takes everything and exports nothing. `opentelemetry-otlp` encodes what the SDK hands out, and
//! our own client ([`transport`]) delivers it.

mod transport;

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry_otlp::{
    LogExporter, MetricExporter, RetryPolicy, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{BatchConfigBuilder, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{self as sdk, PeriodicReader, SdkMeterProvider};

use self::transport::Transport;
use crate::export::client::Client;
use crate::export::signal::Signal;
use crate::settings::{
    HistogramAggregation, LogsSettings, MetricsSettings, Otlp, Settings, Temporality,
};

/// The providers behind `Telemetry::meter_provider` and `Telemetry::logger_provider`.
#[derive(Debug)]
pub(crate) struct OtlpApi {
    resource: Resource,
    metrics: MetricsSettings,
    logs: LogsSettings,
    meters: OnceLock<SdkMeterProvider>,
    loggers: OnceLock<SdkLoggerProvider>,
}

impl OtlpApi {
    pub(crate) fn new(settings: &Settings, resource: Resource) -> OtlpApi {
        OtlpApi {
            resource,
            metrics: settings.metrics.clone(),
            logs: settings.logs.clone(),
            meters: OnceLock::new(),
            loggers: OnceLock::new(),
        }
    }

    pub(crate) fn meter_provider(&self) -> &SdkMeterProvider {
        self.meters.get_or_init(|| {
            let mut provider = SdkMeterProvider::builder().with_resource(self.resource.clone());
            if self.metrics.histogram_aggregation == HistogramAggregation::Base2Exponential {
                provider = provider.with_view(exponential);
            }
            let build = |otlp: &Otlp| metric_exporter(otlp, &self.metrics);
            match started(Signal::Metrics, self.metrics.otlp.as_ref(), build) {
                Some(exporter) => provider
                    .with_reader(
                        PeriodicReader::builder(exporter)
                            .with_interval(self.metrics.interval)
                            .build(),
                    )
                    .build(),
                None => provider.build(),
            }
        })
    }

    pub(crate) fn logger_provider(&self) -> &SdkLoggerProvider {
        self.loggers.get_or_init(|| {
            let provider = SdkLoggerProvider::builder().with_resource(self.resource.clone());
            let build = |otlp: &Otlp| log_exporter(otlp, &self.logs);
            match started(Signal::Logs, self.logs.otlp.as_ref(), build) {
                Some(exporter) => provider
                    .with_log_processor(log_processor(exporter, &self.logs))
                    .build(),
                None => provider.build(),
            }
        })
    }

    /// Sends what is left and ends the threads, as far as `timeout` allows.
    pub(crate) async fn shutdown(&self, timeout: Duration) {
        let loggers = async {
            if let Some(loggers) = self.loggers.get().cloned() {
                let end = move || loggers.shutdown_with_timeout(timeout);
                ended(Signal::Logs, timeout, end).await;
            }
        };
        let meters = async {
            if let Some(meters) = self.meters.get().cloned() {
                let end = move || meters.shutdown_with_timeout(timeout);
                ended(Signal::Metrics, timeout, end).await;
            }
        };
        tokio::join!(loggers, meters);
    }
}

/// The SDK's shutdown blocks, and for metrics as long as it likes: on a thread of its own it can
/// be left behind, which a runtime's blocking pool would not allow.
async fn ended(
    signal: Signal,
    timeout: Duration,
    end: impl FnOnce() -> OTelSdkResult + Send + 'static,
) {
    let signal = signal.as_str();
    let (done, result) = tokio::sync::oneshot::channel();
    let started = std::thread::Builder::new()
        .name("otlp-api-shutdown".to_owned())
        .spawn(move || done.send(end()));
    if let Err(error) = started {
        tracing::warn!(signal, %error, "the opentelemetry api's exporter cannot end");
        return;
    }
    match tokio::time::timeout(timeout, result).await {
        Ok(Ok(Err(error))) => {
            tracing::warn!(signal, %error, "records of the opentelemetry api were lost");
        }
        Ok(Ok(Ok(())) | Err(_)) => {}
        Err(_) => tracing::warn!(
            signal,
            "the opentelemetry api's exporter did not end in time"
        ),
    }
}

type BuildError = Box<dyn Error + Send + Sync>;

/// An exporter that cannot start costs its signal, not the service.
fn started<E>(
    signal: Signal,
    otlp: Option<&Otlp>,
    build: impl FnOnce(&Otlp) -> Result<E, BuildError>,
) -> Option<E> {
    let signal = signal.as_str();
    build(otlp?)
        .inspect_err(|error| tracing::error!(signal, %error, "otlp export cannot start"))
        .ok()
}

fn metric_exporter(otlp: &Otlp, settings: &MetricsSettings) -> Result<MetricExporter, BuildError> {
    let transport = transport(otlp, Signal::Metrics, settings.timeout)?;
    let builder = MetricExporter::builder().with_temporality(match settings.temporality {
        Temporality::Cumulative => sdk::Temporality::Cumulative,
        Temporality::Delta => sdk::Temporality::Delta,
        Temporality::LowMemory => sdk::Temporality::LowMemory,
    });
    Ok(through(transport, otlp, builder.with_http()).build()?)
}

/// Histograms in the size that the specification has by default.
fn exponential(instrument: &sdk::Instrument) -> Option<sdk::Stream> {
    let aggregation = sdk::Aggregation::Base2ExponentialHistogram {
        max_size: 160,
        max_scale: 20,
        record_min_max: true,
    };
    let stream = sdk::Stream::builder().with_aggregation(aggregation);
    (instrument.kind() == sdk::InstrumentKind::Histogram)
        .then(|| stream.build().ok())
        .flatten()
}

fn log_exporter(otlp: &Otlp, settings: &LogsSettings) -> Result<LogExporter, BuildError> {
    let transport = transport(otlp, Signal::Logs, settings.queue.retry_for)?;
    Ok(through(transport, otlp, LogExporter::builder().with_http()).build()?)
}

fn log_processor(exporter: LogExporter, settings: &LogsSettings) -> BatchLogProcessor {
    let queue = &settings.queue;
    let size = |records: u64| usize::try_from(records).unwrap_or(usize::MAX);
    let mut config = BatchConfigBuilder::default()
        .with_scheduled_delay(queue.schedule_delay)
        .with_max_export_batch_size(size(queue.max_batch_records));
    if let Some(records) = queue.max_records {
        config = config.with_max_queue_size(size(records));
    }
    BatchLogProcessor::builder(exporter)
        .with_batch_config(config.build())
        .build()
}

fn transport(otlp: &Otlp, signal: Signal, timeout: Duration) -> Result<Transport, BuildError> {
    let client = Client::new(otlp.clone(), signal)?;
    Ok(Transport::start(client, timeout)?)
}

/// Whatever the settings say, the exporter encodes protobuf for the transport, and leaves it
/// alone. Everything is said explicitly: what is not, it takes from the environment.
fn through<B: WithExportConfig + WithHttpConfig>(
    transport: Transport,
    otlp: &Otlp,
    builder: B,
) -> B {
    builder
        .with_http_client(transport)
        .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
        .with_endpoint(otlp.endpoint.to_string())
        .with_retry_policy(RetryPolicy::disabled())
}

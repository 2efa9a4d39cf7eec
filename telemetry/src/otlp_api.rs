//! OTLP export of what users record through the OpenTelemetry metrics and logs APIs.
//!
//! Our own spans, metrics and log lines never pass here. A provider starts, with a thread of
//! its own, when it is asked for the first time; without an endpoint in the settings it
//! takes everything and exports nothing.

use std::collections::HashMap;
use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use opentelemetry_otlp::{LogExporter, MetricExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use crate::settings::{Compression, Otlp, Protocol, Settings};

/// The providers behind `Telemetry::meter_provider` and `Telemetry::logger_provider`.
#[derive(Debug)]
pub(crate) struct OtlpApi {
    resource: Resource,
    metrics: Option<Otlp>,
    logs: Option<Otlp>,
    meters: OnceLock<SdkMeterProvider>,
    loggers: OnceLock<SdkLoggerProvider>,
}

impl OtlpApi {
    pub(crate) fn new(settings: &Settings, resource: Resource) -> OtlpApi {
        OtlpApi {
            resource,
            metrics: settings.metrics.otlp.clone(),
            logs: settings.logs.otlp.clone(),
            meters: OnceLock::new(),
            loggers: OnceLock::new(),
        }
    }

    pub(crate) fn meter_provider(&self) -> &SdkMeterProvider {
        self.meters.get_or_init(|| {
            let provider = SdkMeterProvider::builder().with_resource(self.resource.clone());
            match exporter("metrics", self.metrics.as_ref(), metric_exporter) {
                Some(exporter) => provider.with_periodic_exporter(exporter).build(),
                None => provider.build(),
            }
        })
    }

    pub(crate) fn logger_provider(&self) -> &SdkLoggerProvider {
        self.loggers.get_or_init(|| {
            let provider = SdkLoggerProvider::builder().with_resource(self.resource.clone());
            match exporter("logs", self.logs.as_ref(), log_exporter) {
                Some(exporter) => provider.with_batch_exporter(exporter).build(),
                None => provider.build(),
            }
        })
    }

    /// Sends what is left and ends the threads, as far as `timeout` allows.
    pub(crate) async fn shutdown(&self, timeout: Duration) {
        let (meters, loggers) = (self.meters.get().cloned(), self.loggers.get().cloned());
        if meters.is_none() && loggers.is_none() {
            return;
        }
        // The SDK's shutdown blocks, and for metrics as long as it likes: on a thread of its
        // own it can be left behind, which a runtime's blocking pool would not allow.
        let (done, ended) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("otlp-api-shutdown".to_owned());
        let started = thread.spawn(move || {
            if let Some(loggers) = loggers
                && let Err(error) = loggers.shutdown_with_timeout(timeout)
            {
                tracing::warn!(%error, "logs of the opentelemetry api were lost");
            }
            if let Some(meters) = meters
                && let Err(error) = meters.shutdown_with_timeout(timeout)
            {
                tracing::warn!(%error, "metrics of the opentelemetry api were lost");
            }
            let _ = done.send(());
        });
        if started.is_ok() && tokio::time::timeout(timeout, ended).await.is_err() {
            tracing::warn!("the opentelemetry api's exporters did not end in time");
        }
    }
}

type BuildError = Box<dyn Error + Send + Sync>;

/// An exporter that cannot be built costs its signal, not the service.
fn exporter<E>(
    signal: &str,
    otlp: Option<&Otlp>,
    build: fn(&Otlp) -> Result<E, BuildError>,
) -> Option<E> {
    build(otlp?)
        .inspect_err(|error| tracing::error!(signal, %error, "otlp export cannot start"))
        .ok()
}

fn metric_exporter(otlp: &Otlp) -> Result<MetricExporter, BuildError> {
    Ok(configured(MetricExporter::builder().with_http(), otlp)?.build()?)
}

fn log_exporter(otlp: &Otlp) -> Result<LogExporter, BuildError> {
    Ok(configured(LogExporter::builder().with_http(), otlp)?.build()?)
}

fn configured<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    otlp: &Otlp,
) -> Result<B, BuildError> {
    let plain = otlp.endpoint.scheme_str() == Some("http");
    if otlp.protocol != Protocol::HttpProtobuf || !plain {
        return Err(
            "what the opentelemetry api records leaves by http/protobuf and http:// only".into(),
        );
    }
    let headers = otlp.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    let builder = builder
        .with_http_client(blocking_client(otlp.timeout)?)
        .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
        .with_endpoint(otlp.endpoint.to_string())
        .with_timeout(otlp.timeout)
        .with_headers(headers.collect::<HashMap<_, _>>());
    Ok(match otlp.compression {
        Compression::None => builder,
        Compression::Gzip => builder.with_compression(opentelemetry_otlp::Compression::Gzip),
    })
}

/// The SDK's processors run on plain threads and can drive only a blocking client. It is given
/// to the exporter explicitly: which client that picks by itself depends on the features that
/// other crates of the same build happen to switch on.
fn blocking_client(timeout: Duration) -> Result<reqwest::blocking::Client, BuildError> {
    // The blocking client refuses to be built on a runtime's thread.
    let build = move || {
        reqwest::blocking::Client::builder()
            .timeout(timeout)
            .build()
    };
    let thread = std::thread::Builder::new()
        .name("otlp-api-client".to_owned())
        .spawn(build)?;
    Ok(thread
        .join()
        .map_err(|_| "the client's thread panicked")??)
}

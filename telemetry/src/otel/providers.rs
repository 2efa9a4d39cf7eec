//! The SDK's providers behind the OpenTelemetry API.

use super::processor::Encode;
use super::provider::tracer_provider;
use crate::Telemetry;
use crate::core::Alive;
use crate::otlp_api::OtlpApi;
use crate::settings::Settings;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanProcessor};
use std::sync::Arc;
use std::time::Duration;

/// One provider for each signal.
#[derive(Debug)]
pub(crate) struct Providers {
    tracers: SdkTracerProvider,
    otlp_api: OtlpApi,
}

impl Providers {
    /// `resource` describes the service.
    pub(crate) fn new(
        core: &Arc<Alive>,
        settings: &Settings,
        resource: &[(String, String)],
    ) -> Providers {
        let pairs = resource.iter().cloned();
        let resource = Resource::builder_empty()
            .with_attributes(pairs.map(|(key, value)| KeyValue::new(key, value)))
            .build();
        Providers {
            tracers: tracer_provider(core, resource.clone()),
            otlp_api: OtlpApi::new(settings, resource),
        }
    }

    /// Sends what is left of metrics and logs, as far as `timeout` allows.
    pub(crate) async fn shutdown(&self, timeout: Duration) {
        self.otlp_api.shutdown(timeout).await;
    }
}

impl Telemetry {
    /// The OpenTelemetry API's tracers; their spans go the same way as ours.
    #[must_use]
    pub fn tracer_provider(&self) -> &SdkTracerProvider {
        self.core().speak_otel();
        &self.providers().tracers
    }

    /// The OpenTelemetry API's meters, exported by OTLP if `OTEL_METRICS_EXPORTER` says so.
    #[must_use]
    pub fn meter_provider(&self) -> &SdkMeterProvider {
        self.core().speak_otel();
        self.providers().otlp_api.meter_provider()
    }

    /// The OpenTelemetry API's loggers, exported by OTLP if `OTEL_LOGS_EXPORTER` says so. Lines of
    /// `tracing` do not pass here.
    #[must_use]
    pub fn logger_provider(&self) -> &SdkLoggerProvider {
        self.core().speak_otel();
        self.providers().otlp_api.logger_provider()
    }

    /// Takes the spans of an OpenTelemetry SDK's own `TracerProvider`, for code that has one: its
    /// sampler and ids stay its own, the resource and the limits are this service's.
    #[must_use]
    pub fn span_processor(&self) -> impl SpanProcessor + use<> {
        self.core().speak_otel();
        Encode::new(self.core())
    }
}

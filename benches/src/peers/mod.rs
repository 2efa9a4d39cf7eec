//! What telemetry is measured against, each set up as its documentation says, with the OTLP exporter
//! that services use.

pub(crate) mod fastrace;
pub(crate) mod requests;
pub(crate) mod sdk;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Runtime;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use crate::request::Pipeline;
use crate::spans::{self, Children};
use crate::subject::Counts;

fn resource() -> Resource {
    Resource::builder().with_service_name("bench").build()
}

fn exporter(sink: SocketAddr) -> Result<SpanExporter> {
    Ok(SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("http://{sink}/v1/traces"))
        .build()?)
}

fn tracer_provider(per_cent: u32, sink: SocketAddr) -> Result<SdkTracerProvider> {
    let root = match per_cent {
        0 => Sampler::AlwaysOff,
        100 => Sampler::AlwaysOn,
        _ => Sampler::TraceIdRatioBased(f64::from(per_cent) / 100.0),
    };
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter(sink)?)
        // Not `Sampler::ParentBased`: behind a layer that attaches a span without ids, it takes
        // that for a parent that is not sampled, and nothing is exported.
        .with_sampler(Sampler::parent_based(root))
        .with_resource(resource())
        .build())
}

fn meter_provider(sink: SocketAddr) -> Result<SdkMeterProvider> {
    let exporter = MetricExporter::builder()
        .with_http()
        .with_endpoint(format!("http://{sink}/v1/metrics"))
        .build()?;
    Ok(SdkMeterProvider::builder()
        .with_periodic_exporter(exporter)
        .with_resource(resource())
        .build())
}

/// The SDK's pipeline. Metrics leave by themselves, once a minute.
struct Sdk(SdkTracerProvider);

impl Pipeline for Sdk {
    fn flush(&mut self, _: &Runtime) -> Result<()> {
        Ok(self.0.force_flush()?)
    }

    fn stop(&mut self, _: &Runtime, deadline: Duration) -> Result<Option<Counts>> {
        self.0.shutdown_with_timeout(deadline)?;
        Ok(None)
    }
}

/// Spans of `tracing` within another.
pub(crate) fn children(per_cent: u32, sink: SocketAddr) -> Result<Children<impl FnMut(u64)>> {
    let provider = tracer_provider(per_cent, sink)?;
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
    tracing::subscriber::set_global_default(Registry::default().with(layer))?;
    let within = |times| {
        let _parent = tracing::info_span!("parent").entered();
        spans::make(times);
    };
    Children::new(within, Box::new(Sdk(provider)))
}

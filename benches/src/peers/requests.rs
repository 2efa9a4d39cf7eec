//! Layers on the OpenTelemetry SDK.

use std::net::SocketAddr;

use anyhow::Result;
use axum_tracing_opentelemetry::middleware::OtelAxumLayer;
use opentelemetry::global;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_instrumentation_tower::http::server::{Layer, LayerBuilder};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Level;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;

use super::{Sdk, meter_provider, tracer_provider};
use crate::request::{Layered, router};

/// Traces through `tracing`; it has no metrics, so those of OpenTelemetry's own layer.
pub(crate) fn tracing(per_cent: u32, sink: SocketAddr) -> Result<Layered> {
    let provider = tracer_provider(per_cent, sink)?;
    subscribe(&provider)?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    global::set_meter_provider(meter_provider(sink)?);
    let metrics = LayerBuilder::builder().with_tracing(false).build()?;
    Ok(Layered {
        router: router().layer(OtelAxumLayer::default()).layer(metrics),
        pipeline: Box::new(Sdk(provider)),
    })
}

/// OpenTelemetry's own layer, traces and metrics.
pub(crate) fn tower(per_cent: u32, sink: SocketAddr) -> Result<Layered> {
    let provider = tracer_provider(per_cent, sink)?;
    global::set_tracer_provider(provider.clone());
    global::set_text_map_propagator(TraceContextPropagator::new());
    global::set_meter_provider(meter_provider(sink)?);
    Ok(Layered {
        router: router().layer(Layer::new()),
        pipeline: Box::new(Sdk(provider)),
    })
}

/// Traces through `tracing`, and metrics of its own.
pub(crate) fn tower_otel(per_cent: u32, sink: SocketAddr) -> Result<Layered> {
    let provider = tracer_provider(per_cent, sink)?;
    subscribe(&provider)?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    let meters = meter_provider(sink)?;
    let metrics = tower_otel::metrics::HttpLayer::server(&meters.meter("bench"));
    global::set_meter_provider(meters);
    Ok(Layered {
        router: router()
            .layer(tower_otel::trace::HttpLayer::server(Level::INFO))
            .layer(metrics),
        pipeline: Box::new(Sdk(provider)),
    })
}

/// The subscriber that both crates on `tracing` are documented with.
fn subscribe(provider: &SdkTracerProvider) -> Result<()> {
    let filter = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("otel::tracing", LevelFilter::TRACE);
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("bench"));
    tracing::subscriber::set_global_default(Registry::default().with(layer).with(filter))?;
    Ok(())
}

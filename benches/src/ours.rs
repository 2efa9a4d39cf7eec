//! The telemetry under test, with its real exporter.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use http::{HeaderMap, Method, Uri, Version};
use telemetry::http::{ServerRequest, Trust};
use telemetry::{Service, Settings, SpanCounts, Telemetry};
use tokio::runtime::Runtime;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use crate::request::{Layered, Pipeline, TARGET, router};
use crate::spans::{self, Children};
use crate::subject::Counts;

/// Settings as an operator would leave them, but for where spans go and how many are sampled.
pub(crate) fn settings(per_cent: u32, sink: SocketAddr) -> Result<Settings> {
    let ratio = f64::from(per_cent) / 100.0;
    let settings = Settings::from_vars(|name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(format!("http://{sink}")),
        "OTEL_TRACES_SAMPLER" if per_cent < 100 => Some("parentbased_traceidratio".to_owned()),
        "OTEL_TRACES_SAMPLER_ARG" if per_cent < 100 => Some(ratio.to_string()),
        _ => None,
    })?;
    Ok(settings)
}

pub(crate) fn layered(per_cent: u32, sink: SocketAddr) -> Result<Layered> {
    let telemetry = Telemetry::builder(Service::new("bench", "1"))
        .settings(settings(per_cent, sink)?)
        .without_subscriber()
        .build()?;
    Ok(Layered {
        router: router().layer(telemetry.server_layer()),
        pipeline: Box::new(Ours(telemetry)),
    })
}

/// Our pipeline.
pub(crate) struct Ours(pub(crate) Telemetry);

impl Pipeline for Ours {
    fn flush(&mut self, runtime: &Runtime) -> Result<()> {
        runtime.block_on(self.0.flush());
        Ok(())
    }

    fn counts(&self) -> Option<Counts> {
        Some(read(&self.0.counts()))
    }

    fn stop(&mut self, runtime: &Runtime, deadline: Duration) -> Result<Option<Counts>> {
        let report = runtime.block_on(self.0.shutdown(deadline));
        Ok(Some(read(&report.spans)))
    }
}

fn read(counts: &SpanCounts) -> Counts {
    Counts {
        produced: counts.produced,
        exported: counts.exported,
        dropped: counts.dropped(),
        queued: counts.queued,
    }
}

/// Spans of `tracing` within a server span.
pub(crate) fn children(per_cent: u32, sink: SocketAddr) -> Result<Children<impl FnMut(u64)>> {
    let telemetry = Telemetry::builder(Service::new("bench", "1"))
        .settings(settings(per_cent, sink)?)
        .without_subscriber()
        .build()?;
    tracing::subscriber::set_global_default(Registry::default().with(telemetry::layer()))?;
    let edge = telemetry.edge();
    let headers = HeaderMap::new();
    let within = move |times| {
        let span = edge.start(&ServerRequest {
            method: &Method::GET,
            uri: &Uri::from_static(TARGET),
            version: Version::HTTP_11,
            headers: &headers,
            peer: None,
            scheme: "http",
            route: None,
            trust: Trust::default(),
        });
        let _scope = span.scope();
        spans::make(times);
    };
    Children::new(within, Box::new(Ours(telemetry)))
}

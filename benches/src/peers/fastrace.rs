//! fastrace, with its exporter for OTLP. It has no metrics.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use fastrace::collector::{Config, SpanContext};
use fastrace_axum::FastraceLayer;
use fastrace_opentelemetry::OpenTelemetryReporter;
use opentelemetry::InstrumentationScope;
use tokio::runtime::Runtime;

use super::{exporter, resource};
use crate::request::{Layered, Pipeline, router};
use crate::subject::Counts;

pub(crate) fn layered(per_cent: u32, sink: SocketAddr) -> Result<Layered> {
    let scope = InstrumentationScope::builder("bench").build();
    let reporter = OpenTelemetryReporter::new(exporter(sink)?, Cow::Owned(resource()), scope);
    fastrace::set_reporter(reporter, Config::default());
    let layer = match per_cent {
        100 => FastraceLayer::default(),
        _ => FastraceLayer::default().with_span_context_extractor(move |_| {
            let context = SpanContext::random();
            let sampled = context.trace_id.0 % 100 < u128::from(per_cent);
            Some(context.sampled(sampled))
        }),
    };
    Ok(Layered {
        router: router().layer(layer),
        pipeline: Box::new(Fastrace),
    })
}

struct Fastrace;

impl Pipeline for Fastrace {
    fn flush(&mut self, _: &Runtime) -> Result<()> {
        fastrace::flush();
        Ok(())
    }

    /// It knows no deadline.
    fn stop(&mut self, _: &Runtime, _: Duration) -> Result<Option<Counts>> {
        fastrace::flush();
        Ok(None)
    }
}

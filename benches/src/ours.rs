//! The telemetry under test, with its real exporter.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use telemetry::{Service, Settings, Telemetry};
use tokio::runtime::Runtime;

use crate::request::{Layered, Pipeline, router};
use crate::subject::Ended;

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

struct Ours(Telemetry);

impl Pipeline for Ours {
    fn flush(&mut self, runtime: &Runtime) -> Result<()> {
        runtime.block_on(self.0.flush());
        Ok(())
    }

    fn end(&mut self, runtime: &Runtime) -> Result<Ended> {
        let report = runtime.block_on(self.0.shutdown(Duration::from_secs(10)));
        ensure!(report.is_complete(), "{report}");
        Ok(Ended {
            exported: Some(report.spans.exported),
        })
    }
}

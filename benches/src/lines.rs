//! A handler that writes one JSON line.

use std::net::SocketAddr;

use anyhow::Result;
use telemetry::{Service, Telemetry};

use crate::ours::{self, Ours};
use crate::request::{Layered, logging_router};

/// Ours: the request is traced and measured, and the line carries its ids. Lines go to stdout,
/// where somebody counts them.
pub(crate) fn ours(per_cent: u32, sink: SocketAddr) -> Result<Layered> {
    let telemetry = Telemetry::builder(Service::new("bench", "1"))
        .settings(ours::settings(per_cent, sink)?)
        .build()?;
    Ok(Layered {
        router: logging_router().layer(telemetry.server_layer()),
        pipeline: Box::new(Ours(telemetry)),
    })
}

/// `tracing_subscriber`'s own JSON lines, without a trace and without a write.
#[cfg(feature = "peers")]
pub(crate) fn fmt() -> Result<Layered> {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::sink)
        .finish();
    tracing::subscriber::set_global_default(subscriber)?;
    Ok(Layered {
        router: logging_router(),
        pipeline: Box::new(crate::request::Nowhere),
    })
}

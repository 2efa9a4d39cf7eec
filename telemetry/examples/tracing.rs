//! Code that has `#[tracing::instrument]` and a subscriber already: one layer is added to it.
//!
//! ```text
//! cargo run -p citywatch-telemetry --example tracing
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::num::ParseIntError;
use std::time::Duration;
use telemetry::{Service, Settings, Telemetry};
use tracing::{info, instrument};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::builder(Service::new("import", env!("CARGO_PKG_VERSION")))
        .settings(Settings::from_env()?)
        .without_subscriber()
        .build()?;
    let lines = tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO);
    Registry::default()
        .with(lines)
        .with(telemetry.layer())
        .try_init()?;

    import(&["3", "five", "8"]).await;

    println!("{}", telemetry.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

/// A root, because no other span is current: it begins a trace.
#[instrument(skip_all, fields(rows = rows.len(), imported))]
async fn import(rows: &[&str]) {
    let mut imported = 0_i64;
    for row in rows {
        imported += i64::from(parse(row).await.is_ok());
    }
    tracing::Span::current().record("imported", imported);
    info!(imported, "done");
}

/// Its error becomes the span's status and an exception.
#[instrument(err)]
async fn parse(row: &str) -> Result<u32, ParseIntError> {
    row.parse()
}

//! Traces, metrics and logs for HTTP services, so cheap that nobody switches them off.
//!
//! One bounded pipeline takes spans from three sides: the HTTP edge ([`http`]),
//! `#[tracing::instrument]`, and the OpenTelemetry API ([`Telemetry::tracer_provider`]). They are
//! written once, as OTLP bytes, and leave from a thread of their own.
//!
//! It never blocks a request, never grows beyond its bounds, never lets a client mint a metric's
//! label, and never forgets what it lost: [`Telemetry::counts`] adds up at all times.
//!
//! ```no_run
//! # use std::time::Duration;
//! # async fn serve() -> Result<(), telemetry::InitError> {
//! let telemetry = telemetry::init(telemetry::Service::new("orders", env!("CARGO_PKG_VERSION")))?;
//! let app: axum::Router = axum::Router::new()
//!     .route("/orders/{id}", axum::routing::get(|| async { "an order" }))
//!     .layer(telemetry.server_layer());
//! let client = telemetry.client(reqwest::Client::new());
//! let report = telemetry.shutdown(Duration::from_secs(5)).await;
//! # drop((app, client, report));
//! # Ok(())
//! # }
//! ```
//!
//! Nothing is global but the `tracing` subscriber: two services can live in one process, and tests
//! can run side by side.
//!
//! Without the default features it is a core without axum (feature `axum`), reqwest (`reqwest`), the
//! OpenTelemetry SDK (`opentelemetry-sdk`) and TLS (`tls`); the crate's README says what each adds.

#![warn(missing_docs)]
// What a feature adds is linked to from pages that are there without it.
#![cfg_attr(
    not(all(feature = "axum", feature = "opentelemetry-sdk", feature = "reqwest")),
    allow(rustdoc::broken_intra_doc_links)
)]

mod builder;
mod child;
mod clock;
pub mod context;
mod conventions;
mod core;
mod cores;
mod counts;
mod export;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod log;
mod metrics;
mod otel;
#[cfg(feature = "opentelemetry-sdk")]
mod otlp_api;
mod pull;
pub mod sampling;
mod service;
pub mod settings;
mod span;
mod subscriber;
mod sync;
mod telemetry;
pub mod testing;
mod wire;

pub use builder::{Builder, InitError, init};
pub use child::{SpanLayer, layer};
pub use context::{Baggage, SpanContext};
pub use conventions::{database, feature_flag, messaging, rpc};
pub use counts::{DropReason, ShutdownReport, SpanCounts};
pub use export::{Exporter, OtlpError};
#[cfg(feature = "reqwest")]
pub use http::ClientMiddleware;
pub use http::Edge;
#[cfg(feature = "axum")]
pub use http::ServerLayer;
pub use log::{FilterError, Format, LineWriter, RepeatLimit};
pub use metrics::{Counter, Histogram, Instrument, InstrumentError, MetricsPage};
pub use service::Service;
pub use settings::Settings;
pub use span::encode::Kind;
pub use span::handle::{Scope, Span, SpanBuilder, Status};
pub use span::value::AttributeValue;
pub use telemetry::Telemetry;

/// The examples of these pages compile.
#[cfg(all(
    doctest,
    feature = "axum",
    feature = "opentelemetry-sdk",
    feature = "reqwest"
))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/migration.md")]
mod pages {}

//! The crate as its users meet it: real routers, real clients, real collectors.
//! What stands without `cfg` tests the core, which is there without the default features.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(feature = "opentelemetry-sdk")]
mod bounds;
#[cfg(all(feature = "axum", feature = "reqwest"))]
mod client;
mod closed;
mod collector;
#[cfg(all(feature = "axum", feature = "opentelemetry-sdk", feature = "reqwest"))]
mod conformance;
mod database;
#[cfg(all(feature = "axum", feature = "opentelemetry-sdk"))]
mod differential;
mod edge;
#[cfg(feature = "opentelemetry-sdk")]
mod environment;
#[cfg(all(feature = "axum", feature = "opentelemetry-sdk", feature = "reqwest"))]
mod examples;
mod export;
mod exposition;
#[cfg(all(feature = "axum", feature = "opentelemetry-sdk"))]
mod feature_flag;
#[cfg(all(feature = "axum", feature = "opentelemetry-sdk"))]
mod instrument;
mod logs;
#[cfg(all(feature = "axum", feature = "opentelemetry-sdk"))]
mod manual;
mod messaging;
#[cfg(feature = "axum")]
mod metrics;
#[cfg(feature = "opentelemetry-sdk")]
mod otlp_api;
mod outage;
#[cfg(feature = "axum")]
mod own_metrics;
#[cfg(feature = "opentelemetry-sdk")]
mod proof;
#[cfg(all(feature = "axum", feature = "opentelemetry-sdk"))]
mod push;
mod receiver;
mod rpc;
#[cfg(all(feature = "axum", feature = "opentelemetry-sdk", feature = "reqwest"))]
mod sampling;
#[cfg(feature = "axum")]
mod server;
#[cfg(all(feature = "axum", feature = "opentelemetry-sdk"))]
mod services;
#[cfg(all(feature = "axum", feature = "opentelemetry-sdk"))]
mod spans;
#[cfg(all(feature = "opentelemetry-sdk", feature = "tls"))]
mod tls;
#[cfg(all(feature = "axum", feature = "reqwest"))]
mod trace_context;

#[cfg(feature = "axum")]
use telemetry::Settings;
use telemetry::testing::Collector;
use telemetry::{Service, Telemetry};

pub(crate) fn collected(name: &str) -> (Telemetry, Collector) {
    let collector = Collector::new();
    let telemetry = Telemetry::builder(Service::new(name, "0.0.0"))
        .exporter(collector.exporter())
        .without_subscriber()
        .build()
        .unwrap();
    (telemetry, collector)
}

/// The same, told by an environment.
#[cfg(feature = "axum")]
pub(crate) fn told(variables: &[(&str, &str)]) -> (Telemetry, Collector) {
    let settings = Settings::from_vars(|name| {
        let known = variables.iter().find(|(known, _)| *known == name);
        known.map(|(_, value)| (*value).to_owned())
    });
    let collector = Collector::new();
    let telemetry = Telemetry::builder(Service::new("orders", "1.0.0"))
        .settings(settings.unwrap())
        .exporter(collector.exporter())
        .without_subscriber()
        .build()
        .unwrap();
    (telemetry, collector)
}

/// An address where nobody listens, and nobody can as long as these tests run: a port that is given
/// back is given to the next who asks.
#[cfg(all(feature = "axum", feature = "reqwest"))]
pub(crate) fn nobody() -> std::net::SocketAddr {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    std::mem::forget(socket);
    address
}

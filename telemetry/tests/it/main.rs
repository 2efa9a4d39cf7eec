//! The crate as its users meet it: real routers, real clients, real collectors.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod closed;
mod collector;
mod conformance;
mod database;
mod differential;
mod edge;
mod environment;
mod export;
mod exposition;
mod feature_flag;
mod instrument;
mod logs;
mod manual;
mod messaging;
mod metrics;
mod otlp_api;
mod outage;
mod own_metrics;
mod proof;
mod push;
mod rpc;
mod sampling;
mod server;
mod services;
mod spans;
#[cfg(feature = "tls")]
mod tls;
mod trace_context;

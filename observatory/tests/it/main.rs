//! The observatory as its users meet it: real ports, real clients.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browser;
mod grpc;
mod http;
mod metrics;
mod openapi;
mod page;
#[path = "../../src/samples.rs"]
#[allow(dead_code)] // The unit tests use more of it.
mod samples;
mod sut;
mod traces;

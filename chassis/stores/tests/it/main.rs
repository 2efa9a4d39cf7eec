#![allow(clippy::unwrap_used, clippy::expect_used)]

mod constraints;
mod kv;
mod opening;
mod telemetry;
mod writing;

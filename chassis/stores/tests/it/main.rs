#![allow(clippy::unwrap_used, clippy::expect_used)]

mod constraints;
mod opening;
mod telemetry;
mod writing;

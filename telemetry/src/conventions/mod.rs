//! What services do beside HTTP, in the names of the
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/) 1.44.

pub mod database;
mod sql;

//! Calls of a database, by the
//! [conventions for database clients](https://opentelemetry.io/docs/specs/semconv/db/).

mod system;

pub use self::system::System;
pub use super::sql::{sanitize, summary};

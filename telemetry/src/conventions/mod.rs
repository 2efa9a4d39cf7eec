//! What services do beside HTTP, in the names of the
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/) 1.44.

pub mod database;
pub mod feature_flag;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod messaging;
pub mod rpc;
mod server;
mod sql;

use crate::Telemetry;
use crate::span::handle::SpanBuilder;
use std::borrow::Cow;

/// Work beside HTTP.
impl Telemetry {
    /// A span made by hand: a child of the current one, or the first of a trace, unless the builder
    /// is told otherwise.
    pub fn span(&self, name: impl Into<Cow<'static, str>>) -> SpanBuilder<'_> {
        SpanBuilder::new(self.core(), name.into())
    }

    /// A database that is called, whose calls become spans and metrics.
    #[must_use]
    pub fn database(&self, system: database::System) -> database::Database {
        database::Database::new(self.core(), system)
    }

    /// A broker of messages, by its name in the
    /// [convention's list](https://opentelemetry.io/docs/specs/semconv/registry/attributes/messaging/#messaging-system)
    /// or its own in lower case: what is sent and worked on becomes spans and metrics.
    #[must_use]
    pub fn messaging(&self, system: &'static str) -> messaging::Messaging {
        messaging::Messaging::new(self.core(), system)
    }

    /// A system of remote procedure calls, which become spans and metrics on both sides.
    #[must_use]
    pub fn rpc(&self, system: rpc::System) -> rpc::Rpc {
        rpc::Rpc::new(self.core(), system)
    }
}

//! OTLP in: two listeners, one way into the store.
//!
//! The receivers run on plain hyper, without the layers of a service: what comes in here is
//! never traced, or each export would cause the next. Spans are walked, not decoded.
//! Specification: <https://opentelemetry.io/docs/specs/otlp/>.

mod answer;
mod body;
pub(crate) mod decode;
mod grpc;
mod http;
mod ingest;
mod listen;
mod value;
mod walk;
mod wire;

#[cfg(test)]
pub(crate) use body::Packing;
pub(crate) use body::{Inflight, Limits};
pub(crate) use ingest::{Ingest, Outcome, Signal, Transport};
pub(crate) use listen::{Listener, Protocol};
pub(crate) use value::AnyValue;
pub(crate) use walk::Refusal;

#[cfg(test)]
mod tests;

//! OTLP in, traces in bounded memory, Jaeger's query API and a page out.
//!
//! Spans are kept as the bytes they came in; what a search needs is walked out of them once,
//! everything else is read when somebody asks. It never samples, never writes to disk, and
//! never traces its own ingest.

mod jaeger;
mod meters;
mod otlp;
#[cfg(test)]
mod samples;
mod service;
mod store;
mod web;

pub use service::{Observatory, Settings};

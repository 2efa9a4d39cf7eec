//! Spans as OTLP protobuf bytes, written once and never decoded again on this side.

pub(crate) mod encode;
pub(crate) mod pool;
pub(crate) mod proto;

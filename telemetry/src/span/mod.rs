//! Spans as OTLP protobuf bytes, written once and never decoded again on this side.

pub(crate) mod aside;
pub(crate) mod attributes;
pub(crate) mod body;
pub(crate) mod encode;
pub(crate) mod handle;
pub(crate) mod limits;
pub(crate) mod pool;
pub(crate) mod proto;
pub(crate) mod scope;
pub(crate) mod value;

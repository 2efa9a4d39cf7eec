//! The crate as services use it: over HTTP, in a store of their own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod consumer;
mod publisher;

//! The crate as services use it: over HTTP, in a store of their own.

mod consumer;

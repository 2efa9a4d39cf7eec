//! Where a service keeps its data.
//!
//! This crate opens a store by its URL. [`sql`] brings its schema up to date and hands out
//! transactions; [`kv`] keeps values by key. It is the only place that knows a database dialect:
//! what a service says to a store is written once, for every engine. It never holds a service's
//! tables or rules, and never retries a transaction on its own: only the service knows whether
//! that is safe.

#![warn(missing_docs)]

mod file;
pub mod kv;
pub mod sql;

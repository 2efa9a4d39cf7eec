//! Where a service keeps its data.
//!
//! This crate opens a store by its URL, brings its schema up to date and hands out transactions.
//! It is the only place that knows a database dialect: the statements of a service are written
//! once, for every engine. It never holds a service's tables or rules, and never retries a
//! transaction on its own: only the service knows whether that is safe.

#![warn(missing_docs)]

pub mod sql;

//! Whose events a service handles: a consumer that does what a test says, and a producer that is
//! the test itself.

mod bench;
mod bulk;
mod crashes;
mod model;
mod operator;
mod poison;
mod service;
mod simple;

//! What a call to a named service needs to know before it is made: which instance to ask
//! ([`Balancer`]) and how long the answer may take ([`Deadline`]).
//!
//! These are plain types. They open no connection, spawn no task and read no clock: the caller
//! says what time it is, so that a client chain and the gateway's own pool can both use them and
//! every rule is tested without waiting.

#![warn(missing_docs)]

mod balancer;
mod deadline;

pub use balancer::{Balancer, Loads, Picked};
pub use deadline::{Deadline, TIMEOUT_HEADER};

//! A call to a named service: which instance is asked, how long the answer may take, whether the
//! call is made again, and when it is better not made at all.
//!
//! Every edge of the city stands in one table ([`edges`]). A call goes out through
//! `retry(breaker(timeout(trace(fault(transport)))))`: what is refused still makes a span, an
//! injected fault looks to every mechanism as a real one would, and the breaker sees attempts, not
//! calls. What is left of a request's time ([`deadline`]) bounds the calls that it makes, and
//! travels with them.
//!
//! The mechanisms are plain types ([`Balancer`], [`Breaker`], [`RetryBudget`], [`Deadline`]): they
//! open no connection, spawn no task and read no clock. The caller says what time it is, so that
//! this chain and the gateway's own pool can both use them and every rule is tested without waiting.
//!
//! It never knows what a call is for: what to do instead of an answer is the caller's business.

#![warn(missing_docs)]

mod balancer;
mod breaker;
mod budget;
mod call;
mod callee;
mod calls;
mod chain;
pub mod deadline;
pub mod edges;
mod error;
mod metrics;
mod policy;
mod random;
mod retries;

pub use balancer::{Balancer, Loads, Picked};
pub use breaker::{Breaker, BreakerState, Pass, Rules, Trip, Verdict};
pub use budget::RetryBudget;
pub use call::{Answer, Call, Client};
pub use calls::{Calls, Setup};
pub use chain::MAX_ANSWER;
pub use deadline::{Deadline, TIMEOUT_HEADER};
pub use edges::{Edge, Retry};
pub use error::{CallError, CallErrorKind};
pub use policy::Policy;

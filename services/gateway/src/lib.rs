//! The city's front door.
//!
//! It finds the route, verifies the member, keeps the limits, starts the trace, writes the access
//! log and hands the request to a service: nothing else. It holds no state that outlives it,
//! knows no service's data, and never leads to inner paths.
//!
//! It does not use the services' router: hyper runs directly on one single-threaded runtime a
//! core, each with its own listener, connections and caches, so that a request meets no lock but
//! the rate table's. Measured against nginx, that is what makes the difference.

mod access_log;
mod address;
mod answer;
mod auth;
mod clock;
mod config;
mod connection;
mod exchange;
mod fallback;
mod framing;
mod hop;
mod limit;
mod listen;
mod metrics;
mod record;
mod refusal;
mod routes;
mod settings;
mod start;
mod target;
mod upstream;
mod worker;

pub use settings::{Rate, RateClass, RouteRule, Settings};
pub use start::Gateway;

//! Faults on purpose: free when disarmed, leased when armed.
//!
//! A service names the places where it may fail ([`Faults::point`]) and passes them as it works
//! ([`Point::pass`]). An operator arms one of them ([`Faults::arm`]): the process then kills or
//! stops itself there, or is late, or gets an error, or hangs, as it would if the world did it.
//!
//! An armed fault never outlives whoever wanted it: it ends when its lease is not renewed, by a
//! clock that nobody can set, in this process and without any other. Nothing is global: two
//! services of one process have their own faults, although a process that dies takes both along.
//!
//! ```
//! # async fn commit(faults: &faults::Faults) -> Result<(), faults::Injected> {
//! let before = faults.point("order.before_commit", "the order is not yet written");
//! before.pass().await?;
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]

mod armed;
mod around;
mod fault;
mod faults;
mod metrics;
mod point;
mod process;
mod strike;

pub use around::Around;
pub use fault::{Action, Fault, Injected, LEASE_MAX, TTL_MAX};
pub use faults::{ArmedState, Faults, MAX_ARMED, PointState, Refused};
pub use point::{Pass, Point};

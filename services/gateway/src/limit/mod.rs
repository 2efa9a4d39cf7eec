//! Rate limits that hold for the whole process, in a table of bounded size.

mod gcra;
mod headers;
mod table;

pub(crate) use gcra::{Decision, Pace};
pub(crate) use headers::{Policies, RATE_LIMIT, RATE_LIMIT_POLICY, rate_limit};
pub(crate) use table::{Key, RateTable};

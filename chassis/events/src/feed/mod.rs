//! The feed: positions for what is committed, and the route by which others read.

mod numbering;
mod route;

pub(crate) use numbering::run as number;
pub(crate) use route::{Feed, HEAD, route};

//! A call on its way out: `retry(breaker(timeout(trace(fault(transport)))))`.
//!
//! Each is a link of a `reqwest_middleware` chain. What one has to tell another stands in the
//! request's [`Journey`].

mod fault;
mod guard;
mod retry;
#[cfg(test)]
mod tests;
mod timeout;

use std::net::SocketAddr;

use http::Extensions;

use crate::deadline::{self, Deadline};
use crate::error::CallErrorKind;

pub(crate) use fault::Fault;
pub(crate) use guard::Guard;
pub(crate) use retry::Retry;
pub use timeout::MAX_ANSWER;
pub(crate) use timeout::Timeout;

/// What the links of the chain know of one call.
#[derive(Clone, Debug)]
pub(crate) struct Journey {
    /// For all attempts together.
    pub(crate) deadline: Deadline,
    /// Some attempt was sent off.
    pub(crate) sent: bool,
    /// Some attempt may have been received by the callee.
    pub(crate) reached: bool,
    /// Where attempts went before.
    pub(crate) tried: Vec<SocketAddr>,
    /// Where the present attempt goes; `None` where the URL says.
    pub(crate) address: Option<SocketAddr>,
    /// Why the present attempt is not sent. It still goes down the chain as far as its span.
    pub(crate) unsent: Option<CallErrorKind>,
}

impl Journey {
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self {
            deadline,
            sent: false,
            reached: false,
            tried: Vec::new(),
            address: None,
            unsent: None,
        }
    }

    /// The journey of the request whose extensions these are.
    pub(crate) fn of(extensions: &mut Extensions) -> &mut Self {
        let day = std::time::Duration::from_secs(86_400);
        extensions.get_or_insert_with(|| Self::new(Deadline::after(deadline::now(), day)))
    }
}

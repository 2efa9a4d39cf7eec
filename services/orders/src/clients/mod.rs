//! The services that are called. What each says is told in the words of this domain.

mod cart;
mod catalog;
mod inventory;
mod payments;

use std::fmt;
use std::time::Duration;

use axum::http::{StatusCode, header};
use calls::{Answer, CallError, Calls};
use faults::Injected;

pub(crate) use cart::Cart;
pub(crate) use catalog::Price;

/// Typed clients, one for each edge.
#[derive(Clone)]
pub(crate) struct Clients {
    pub cart: cart::Client,
    pub catalog: catalog::Client,
    pub inventory: inventory::Client,
    pub payments: payments::Client,
}

impl Clients {
    pub(crate) fn new(calls: &Calls) -> Self {
        Self {
            cart: cart::Client::new(calls),
            catalog: catalog::Client::new(calls),
            inventory: inventory::Client::new(calls),
            payments: payments::Client::new(calls),
        }
    }
}

/// What became of a call is not known, or nothing that helps: it has to be made again.
#[derive(Debug, Clone)]
pub(crate) struct Unsettled {
    why: Why,
    /// When the peer wants to be asked again.
    pub retry_after: Option<Duration>,
}

#[derive(Debug, Clone)]
enum Why {
    Call(CallError),
    Injected(Injected),
    Answer(StatusCode, Option<String>),
    Form(&'static str),
}

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Call(error) => error.fmt(f),
            Why::Injected(injected) => injected.fmt(f),
            Why::Answer(status, Some(code)) => write!(f, "{} {code}", status.as_u16()),
            Why::Answer(status, None) => write!(f, "{}", status.as_u16()),
            Why::Form(peer) => write!(f, "{peer} answered in a form that is not its own"),
        }
    }
}

impl std::error::Error for Unsettled {}

impl From<CallError> for Unsettled {
    fn from(error: CallError) -> Self {
        Self {
            why: Why::Call(error),
            retry_after: None,
        }
    }
}

impl From<Injected> for Unsettled {
    fn from(injected: Injected) -> Self {
        Self {
            why: Why::Injected(injected),
            retry_after: None,
        }
    }
}

impl Unsettled {
    /// An answer that settles nothing.
    fn answer(answer: &Answer) -> Self {
        let seconds = answer.headers.get(header::RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Self {
            why: Why::Answer(answer.status, answer.problem_code()),
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    /// An answer that breaks the peer's own contract.
    fn form(peer: &'static str) -> Self {
        Self {
            why: Why::Form(peer),
            retry_after: None,
        }
    }

    /// Whether the peer understood and refuses, which asking again will not change: somebody has
    /// to look.
    pub(crate) fn is_unexpected(&self) -> bool {
        match &self.why {
            Why::Call(_) | Why::Injected(_) => false,
            Why::Form(_) => true,
            Why::Answer(status, _) => {
                status.is_client_error()
                    && *status != StatusCode::TOO_MANY_REQUESTS
                    && *status != StatusCode::REQUEST_TIMEOUT
            }
        }
    }
}

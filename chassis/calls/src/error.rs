use std::fmt;
use std::io::ErrorKind;

use crate::edges::Edge;

/// Why a call came to no answer. An answer of any status is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{callee} ({operation}): {kind}")]
pub struct CallError {
    /// What ended the call: of several attempts, what became of the last.
    pub kind: CallErrorKind,
    reached: bool,
    callee: &'static str,
    operation: &'static str,
}

/// What ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallErrorKind {
    /// No instance of the callee is known.
    NoInstance,
    /// Nobody listens.
    Refused,
    /// No connection could be made, for another reason than that nobody listens.
    Connect,
    /// The connection ended before the whole answer.
    Reset,
    /// The callee did not answer in time.
    Timeout,
    /// The breakers of all instances are open: the callee was not asked.
    CircuitOpen,
    /// It failed, and the retry budget has nothing left for another attempt.
    RetryBudget,
    /// Nothing was left of the deadline: the callee was not asked.
    Deadline,
    /// The answer is larger than a call takes, or none that makes sense.
    Answer,
    /// The request cannot be sent as it is: an error of ours.
    Request,
}

impl CallErrorKind {
    /// `error.type` of the attempt's span, a closed set.
    #[must_use]
    pub fn error_type(self) -> &'static str {
        match self {
            Self::NoInstance => "no_instance",
            Self::Refused => "connection_refused",
            Self::Connect => "connect",
            Self::Reset => "connection_reset",
            Self::Timeout => "timeout",
            Self::CircuitOpen => "circuit_open",
            Self::RetryBudget => "retry_budget",
            Self::Deadline => "deadline",
            Self::Answer => "answer",
            Self::Request => "request",
        }
    }

    /// An attempt that ended so may have been received by the callee.
    pub(crate) fn may_have_reached(self) -> bool {
        match self {
            Self::Reset | Self::Timeout | Self::Answer => true,
            Self::NoInstance
            | Self::Refused
            | Self::Connect
            | Self::CircuitOpen
            | Self::RetryBudget
            | Self::Deadline
            | Self::Request => false,
        }
    }
}

impl fmt::Display for CallErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.error_type())
    }
}

impl CallError {
    pub(crate) fn new(edge: &Edge, kind: CallErrorKind, reached: bool) -> Self {
        Self {
            kind,
            reached,
            callee: edge.callee,
            operation: edge.operation,
        }
    }

    /// `error.type`, a closed set.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        self.kind.error_type()
    }

    /// False only if it is certain that no attempt of the call ever reached the callee.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        self.reached
    }

    /// The service that was called.
    #[must_use]
    pub fn callee(&self) -> &'static str {
        self.callee
    }
}

/// What an attempt ended with, on its way through the chain.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failed(pub(crate) CallErrorKind);

impl From<Failed> for reqwest_middleware::Error {
    fn from(failed: Failed) -> Self {
        Self::middleware(failed)
    }
}

/// What became of an attempt, by the error that the chain gave.
pub(crate) fn kind_of(error: &reqwest_middleware::Error) -> CallErrorKind {
    let error = match error {
        reqwest_middleware::Error::Middleware(error) => {
            return error
                .downcast_ref::<Failed>()
                .map_or(CallErrorKind::Request, |failed| failed.0);
        }
        reqwest_middleware::Error::Reqwest(error) => error,
    };
    let (mut io, mut nonsense) = (None, false);
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<std::io::Error>() {
            io = Some(cause.kind());
        }
        if let Some(cause) = cause.downcast_ref::<hyper::Error>() {
            nonsense |= cause.is_parse();
        }
        source = cause.source();
    }
    if error.is_connect() {
        match io {
            Some(ErrorKind::ConnectionRefused) => CallErrorKind::Refused,
            _ => CallErrorKind::Connect,
        }
    } else if error.is_builder() {
        CallErrorKind::Request
    } else if error.is_timeout() {
        CallErrorKind::Timeout
    } else if nonsense {
        CallErrorKind::Answer
    } else {
        CallErrorKind::Reset
    }
}

//! The body of a request on its way to a service: counted, timed, and shared with whoever may
//! have to send it again.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::connection::{Connection, Phase};
use crate::refusal::Refusal;

/// Clones read the same body; it can be read once.
#[derive(Clone, Debug)]
pub(crate) struct RequestBody(Option<Rc<Stream>>);

#[derive(Debug)]
struct Stream {
    incoming: RefCell<Incoming>,
    connection: Rc<Connection>,
    /// Bytes that may still come.
    left: Cell<u64>,
    limits: Limits,
    started: Instant,
    read: Cell<bool>,
    done: Cell<bool>,
    failure: Cell<Option<Failure>>,
}

/// What a body may be and take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: u64,
    /// Longest pause.
    pub(crate) idle: Duration,
    /// Longest time in all.
    pub(crate) total: Duration,
    /// Time for the answer, once the body is complete.
    pub(crate) answer: Duration,
}

/// Why a body did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the body is larger than allowed")]
    TooLarge,
    #[error("the body broke off")]
    Broken,
}

impl Failure {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TooLarge => "body_too_large",
            Self::Broken => "malformed_body",
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TooLarge => Self::BodyTooLarge,
            Failure::Broken => Self::MalformedBody,
        }
    }
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, connection: &Rc<Connection>, limits: Limits) -> Self {
        if incoming.is_end_stream() {
            return Self(None);
        }
        Self(Some(Rc::new(Stream {
            incoming: RefCell::new(incoming),
            connection: Rc::clone(connection),
            left: Cell::new(limits.bytes),
            limits,
            started: Instant::now(),
            read: Cell::new(false),
            done: Cell::new(false),
            failure: Cell::new(None),
        })))
    }

    /// A part of it was read: it cannot be sent again.
    pub(crate) fn was_read(&self) -> bool {
        self.0.as_ref().is_some_and(|stream| stream.read.get())
    }

    /// All of it was read, or there is none.
    pub(crate) fn is_done(&self) -> bool {
        self.0.as_ref().is_none_or(|stream| stream.done.get())
    }

    /// Why it did not come to its end.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.0.as_ref().and_then(|stream| stream.failure.get())
    }
}

impl Stream {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let mut incoming = self.incoming.borrow_mut();
        loop {
            let frame = match Pin::new(&mut *incoming).poll_frame(context) {
                Poll::Pending => {
                    self.connection.wait_for_client(true);
                    return Poll::Pending;
                }
                Poll::Ready(frame) => frame,
            };
            self.connection.wait_for_client(false);
            let Some(frame) = frame else {
                self.finish();
                return Poll::Ready(None);
            };
            let Ok(frame) = frame else {
                return self.fail(Failure::Broken);
            };
            // Trailers end here: nothing behind reads them, and they were not looked at.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.read.set(true);
            let Some(left) = self.left.get().checked_sub(data.len() as u64) else {
                return self.fail(Failure::TooLarge);
            };
            self.left.set(left);
            if incoming.is_end_stream() {
                self.finish();
            } else if self.connection.phase() == Phase::Request {
                let spent = self.started.elapsed();
                let rest = self.limits.total.saturating_sub(spent);
                self.connection.give(self.limits.idle.min(rest));
            }
            return Poll::Ready(Some(Ok(data)));
        }
    }

    fn finish(&self) {
        if !self.done.replace(true) && self.connection.phase() == Phase::Request {
            self.connection.give(self.limits.answer);
        }
    }

    fn fail(&self, failure: Failure) -> Poll<Option<Result<Bytes, Failure>>> {
        self.read.set(true);
        self.failure.set(Some(failure));
        Poll::Ready(Some(Err(failure)))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match &self.0 {
            None => Poll::Ready(None),
            Some(stream) => {
                let data = ready!(stream.poll(context));
                Poll::Ready(data.map(|data| data.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|stream| stream.incoming.borrow().is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            None => SizeHint::with_exact(0),
            Some(stream) => stream.incoming.borrow().size_hint(),
        }
    }
}

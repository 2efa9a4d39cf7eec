//! The body of an answer: when it ends, its connection is free for the next request.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use calls::Picked;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::RequestBody;
use super::pool::Lease;

#[derive(Debug)]
pub(crate) struct Reply {
    incoming: Incoming,
    /// Held until the end of the body: the instance is busy as long.
    held: Option<(Lease, Picked)>,
    request: RequestBody,
}

impl Reply {
    pub(super) fn new(
        incoming: Incoming,
        lease: Lease,
        picked: Picked,
        request: RequestBody,
    ) -> Self {
        let mut reply = Self {
            incoming,
            held: Some((lease, picked)),
            request,
        };
        if reply.incoming.is_end_stream() {
            reply.release();
        }
        reply
    }

    /// A connection on which the request is still being sent belongs to that request: it is
    /// closed by letting go of it.
    fn release(&mut self) {
        if let Some((lease, _picked)) = self.held.take()
            && self.request.is_done()
        {
            lease.give_back();
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.incoming).poll_frame(context);
        match &frame {
            Poll::Ready(None) => self.release(),
            Poll::Ready(Some(Ok(_))) if self.incoming.is_end_stream() => self.release(),
            Poll::Ready(Some(Err(_))) => self.held = None,
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

//! The body of what goes back to the client: a service's or our own. The record of the exchange
//! travels with it and ends when it does.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::record::Record;
use crate::upstream::Reply;

#[derive(Debug)]
pub(crate) struct Answer {
    source: Source,
    record: Box<Record>,
}

/// Whose words they are. Empty bytes: nothing (more) to say.
#[derive(Debug)]
pub(crate) enum Source {
    /// A service's, as they come.
    Service(Reply),
    /// A service's, all of them.
    Whole(Bytes),
    Own(Bytes),
}

impl Answer {
    pub(crate) fn new(source: Source, record: Box<Record>) -> Self {
        Self { source, record }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = match &mut this.source {
            Source::Service(reply) => Pin::new(reply).poll_frame(context),
            Source::Whole(body) | Source::Own(body) if body.is_empty() => Poll::Ready(None),
            Source::Whole(body) | Source::Own(body) => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(body)))))
            }
        };
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                this.record.bytes += length as u64;
                let idle = this.record.local.config.times.body_idle;
                this.record.connection.give(idle);
                if !matches!(this.source, Source::Own(_)) {
                    this.record.connection.carry_body();
                }
            }
            Poll::Ready(Some(Err(_))) => this.record.fail("upstream_body"),
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Service(reply) => reply.is_end_stream(),
            Source::Whole(body) | Source::Own(body) => body.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Service(reply) => reply.size_hint(),
            Source::Whole(body) | Source::Own(body) => SizeHint::with_exact(body.len() as u64),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.is_end_stream() || self.record.error.is_some() || !self.record.sends_body() {
            return;
        }
        let stalled = self.record.connection.is_overdue();
        let cause = if stalled {
            "body_timeout"
        } else {
            "client_gone"
        };
        self.record.fail(cause);
    }
}

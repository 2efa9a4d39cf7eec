//! A response body that ends its span when it ends.

use super::server::ServerSpan;
use axum::body::Body;
use bytes::{Buf, Bytes};
use http_body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A response body that ends the request's span when it ends: sent, failed or dropped midway.
pub(super) struct TrackedBody {
    pub(super) inner: Body,
    pub(super) span: Option<ServerSpan>,
    /// How many bytes make it complete, if that is known.
    pub(super) expected: Option<u64>,
    /// A body that knows its exact size runs no code of the service's any more.
    pub(super) in_memory: bool,
    pub(super) sent: u64,
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        let Some(mut span) = self.span.take() else {
            return;
        };
        // A server that has sent all bytes need not ask for the end.
        let complete = self.inner.is_end_stream()
            || self.expected.is_some_and(|expected| self.sent >= expected);
        if !complete {
            span.set_error(if std::thread::panicking() {
                "panic"
            } else {
                "cancelled"
            });
        }
        span.response_body(self.sent);
        span.finish();
    }
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(span) = &mut this.span else {
            return Pin::new(&mut this.inner).poll_frame(cx);
        };
        let polled = {
            let _scope = (!this.in_memory).then(|| span.scope());
            Pin::new(&mut this.inner).poll_frame(cx)
        };
        let frame = ready!(polled);
        let ended = match &frame {
            None => true,
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Buf::remaining);
                this.sent += u64::try_from(bytes).unwrap_or(u64::MAX);
                this.inner.is_end_stream()
            }
            Some(Err(_)) => {
                span.set_error("body_error");
                true
            }
        };
        if ended && let Some(mut span) = this.span.take() {
            span.response_body(this.sent);
            span.finish();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

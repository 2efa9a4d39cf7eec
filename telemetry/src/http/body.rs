//! A response body that ends its span when it ends.

use super::server::ServerSpan;
use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pin_project! {
    /// A response body that ends the request's span when it ends: sent, failed or dropped midway.
    #[derive(Debug)]
    pub struct TrackedBody<B>
    where
        B: Body,
    {
        #[pin]
        inner: B,
        span: Option<ServerSpan>,
        // How many bytes make it complete, if that is known.
        expected: Option<u64>,
        // A body that knows its exact size runs no code of the service's any more.
        in_memory: bool,
        sent: u64,
    }

    impl<B> PinnedDrop for TrackedBody<B>
    where
        B: Body,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let Some(mut span) = this.span.take() else { return };
            // A server that has sent all bytes need not ask for the end.
            let complete = this.inner.is_end_stream()
                || this.expected.is_some_and(|expected| *this.sent >= expected);
            if !complete {
                span.set_error(if std::thread::panicking() { "panic" } else { "cancelled" });
            }
            span.response_body(*this.sent);
            span.finish();
        }
    }
}

impl<B: Body> TrackedBody<B> {
    pub(super) fn new(inner: B, span: Option<ServerSpan>, expected: Option<u64>) -> TrackedBody<B> {
        TrackedBody {
            in_memory: inner.size_hint().exact().is_some(),
            inner,
            span,
            expected,
            sent: 0,
        }
    }
}

impl<B: Body> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = {
            let span = this.span.as_ref().filter(|_| !*this.in_memory);
            let _scope = span.map(ServerSpan::scope);
            this.inner.as_mut().poll_frame(cx)
        };
        let frame = ready!(polled);
        let ended = match &frame {
            None => true,
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Buf::remaining);
                *this.sent += u64::try_from(bytes).unwrap_or(u64::MAX);
                this.inner.is_end_stream()
            }
            Some(Err(_)) => {
                if let Some(span) = this.span.as_mut() {
                    span.set_error("body_error");
                }
                true
            }
        };
        if ended && let Some(mut span) = this.span.take() {
            span.response_body(*this.sent);
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

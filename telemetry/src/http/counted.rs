//! A request's body that is counted as it is read.

use super::sizes::Counted;
use axum::body::Body;
use bytes::{Buf, Bytes};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

impl Counted {
    /// The body, counted as it is read.
    pub(super) fn body(self, inner: Body) -> Body {
        if http_body::Body::is_end_stream(&inner) {
            return inner;
        }
        Body::new(CountedBody {
            inner,
            counted: self,
        })
    }
}

struct CountedBody {
    inner: Body,
    counted: Counted,
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Buf::remaining);
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.counted.add(bytes);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};
use telemetry::http::ErrorType;

use super::Journey;
use crate::deadline;
use crate::error::{CallErrorKind, Failed};

/// Most bytes of an answer's body: 1 MiB. What is larger is not read, and the call fails.
pub const MAX_ANSWER: usize = 1 << 20;

/// Ends an attempt with the deadline, and tells the callee how long that is. The answer's body is
/// part of the attempt: it is read here.
pub(crate) struct Timeout {
    /// The callee is one of the city, and takes the budget that it is told.
    pub(crate) tells: bool,
}

#[async_trait::async_trait]
impl Middleware for Timeout {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let journey = Journey::of(extensions);
        if journey.unsent.is_some() {
            return next.run(request, extensions).await;
        }
        let (deadline, now) = (journey.deadline, deadline::now());
        if self.tells {
            deadline.insert(now, request.headers_mut());
        }
        let error_type: ErrorType = extensions.get().cloned().unwrap_or_default();
        // Pinned here, so that it is dropped after the word is set by which its span ends.
        let attempt = pin!(async {
            let response = next.run(request, extensions).await?;
            whole(response).await
        });
        match tokio::time::timeout(deadline.remaining(now), attempt).await {
            Ok(outcome) => outcome,
            Err(_) => {
                error_type.set(CallErrorKind::Timeout.error_type());
                Err(Failed(CallErrorKind::Timeout).into())
            }
        }
    }
}

/// The same response with all of its body here.
async fn whole(mut response: Response) -> Result<Response> {
    let body = read(&mut response).await?;
    let mut whole = http::Response::new(body);
    *whole.status_mut() = response.status();
    *whole.version_mut() = response.version();
    *whole.headers_mut() = std::mem::take(response.headers_mut());
    Ok(whole.into())
}

async fn read(response: &mut Response) -> Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > MAX_ANSWER {
            return Err(Failed(CallErrorKind::Answer).into());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

//! What is answered in a service's stead, on routes that can do without it: its answer is read
//! whole before any of it is sent, and where it is late, broken or a server error, the route's own
//! words go out instead.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body::Body;

use crate::connection::Connection;
use crate::refusal::Refusal;
use crate::upstream::Reply;

/// Longest answer that is held until it is whole, in bytes.
const LONGEST: usize = 256 * 1024;
/// Of the route's time, what its own words need to be there before the time is over.
const WAY_BACK: Duration = Duration::from_millis(10);

/// Why a service did not answer for itself, for counters that start at zero.
pub(crate) const REASONS: [&str; 4] = [
    "service_unavailable",
    "bad_gateway",
    "gateway_timeout",
    "server_error",
];
const SERVER_ERROR: &str = REASONS[3];

/// Who has the word.
pub(crate) enum Given {
    /// The service: all that it said.
    Whole(Response<Bytes>),
    /// The route, for this of the [`REASONS`].
    Instead(&'static str),
}

/// The time that a service has for its whole answer, of a route's.
pub(crate) fn share(time: Duration) -> Duration {
    time.saturating_sub(WAY_BACK).max(time / 2)
}

/// Waits for the whole answer at most so long. What the client did wrong is refused all the same.
pub(crate) async fn whole(
    connection: &Rc<Connection>,
    time: Duration,
    answer: impl Future<Output = Result<Response<Reply>, Refusal>>,
) -> Result<Given, Refusal> {
    let read = async {
        let (parts, reply) = answer.await?.into_parts();
        if parts.status.is_server_error() {
            return Ok::<_, Refusal>(Given::Instead(SERVER_ERROR));
        }
        let body = connection.in_time(collected(reply)).await?;
        let body = body.ok_or(Refusal::UpstreamFailed)?;
        Ok(Given::Whole(Response::from_parts(parts, body)))
    };
    match connection.on_the_dot(time, read).await {
        Err(refusal) => {
            let code = refusal.code();
            let reason = REASONS.into_iter().find(|reason| *reason == code);
            reason.map(Given::Instead).ok_or(refusal)
        }
        given => given,
    }
}

/// The body without its trailers; `None` if it breaks off or is too long to be held.
async fn collected(mut reply: Reply) -> Option<Bytes> {
    let mut body = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut reply).poll_frame(context)).await {
        let Ok(data) = frame.ok()?.into_data() else {
            continue;
        };
        if body.len() + data.len() > LONGEST {
            return None;
        }
        body.extend_from_slice(&data);
    }
    Some(body.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_instead_are_there_in_time() {
        let millis = Duration::from_millis;
        assert_eq!(share(millis(300)), millis(290));
        assert_eq!(share(millis(12)), millis(6));
    }
}

//! The services behind: who is asked, over which connection, and what is asked again.

mod body;
mod pool;
mod reply;

pub(crate) use body::{Limits as BodyLimits, RequestBody};
pub(crate) use pool::{BUFFER, Upstream};
pub(crate) use reply::Reply;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use calls::{Deadline, Picked};
use http::{Method, Request, Response, StatusCode};
use telemetry::http::ClientRequest;

use crate::metrics::Retry;
use crate::record::Record;
use crate::refusal::Refusal;

/// Attempts in all: a refused connection leads to another instance, and that may be refused too.
const ATTEMPTS: u32 = 4;

/// A request on its way.
pub(crate) type Outbound = Request<RequestBody>;

/// Why an attempt came to nothing, and the request if it can be made again.
enum Attempt {
    /// The instance accepted no connection: nothing was sent.
    Refused(Box<Outbound>),
    /// A kept connection was closed already: nothing was sent.
    Unsent(Box<Outbound>),
    /// The connection ended before the head of an answer.
    NoAnswer(Option<Box<Outbound>>),
    /// The exchange cannot go on.
    Final(Refusal),
}

/// Sends a request to one instance, or to another if it is certain that nothing happened yet, or
/// that doing it twice does no harm (RFC 9110, 9.2.2).
pub(crate) async fn send(
    record: &mut Record,
    upstream: &Rc<Upstream>,
    mut request: Outbound,
    deadline: Deadline,
) -> Result<Response<Reply>, Refusal> {
    let connection = Rc::clone(&record.connection);
    let metrics = &connection.worker.shared.metrics;
    let mut tried: Vec<SocketAddr> = Vec::new();
    let mut repeated = false;
    let mut why = None;
    for number in 0..ATTEMPTS {
        let Some(picked) = upstream.pick(&tried, repeated) else {
            break;
        };
        if let Some(why) = why {
            metrics.retried(why);
        }
        let address = picked.endpoint().address;
        let may_repeat = !repeated && is_idempotent(request.method());
        let outcome = attempt(
            record, upstream, picked, request, number, deadline, may_repeat,
        );
        let (failed, again) = match outcome.await {
            Ok(response) => return Ok(response),
            Err(Attempt::Final(refusal)) => return Err(refusal),
            Err(Attempt::Refused(again)) => (Retry::Refused, again),
            Err(Attempt::Unsent(again)) => (Retry::Unsent, again),
            Err(Attempt::NoAnswer(Some(again))) => (Retry::NoAnswer, again),
            Err(Attempt::NoAnswer(None)) => return Err(Refusal::UpstreamFailed),
        };
        // Kept connections to it were opened to a process that is likely gone.
        upstream.forget(address);
        repeated |= matches!(failed, Retry::NoAnswer);
        if !matches!(failed, Retry::Unsent) {
            tried.push(address);
        }
        why = Some(failed);
        request = *again;
    }
    Err(if repeated {
        Refusal::UpstreamFailed
    } else {
        Refusal::NoInstance
    })
}

async fn attempt(
    record: &mut Record,
    upstream: &Rc<Upstream>,
    picked: Picked,
    mut request: Outbound,
    number: u32,
    deadline: Deadline,
    may_repeat: bool,
) -> Result<Response<Reply>, Attempt> {
    let connection = Rc::clone(&record.connection);
    let address = picked.endpoint().address;
    record.upstream = Some(address);
    deadline.insert(Instant::now(), request.headers_mut());
    let span = record.span.client(&ClientRequest {
        method: request.method(),
        // By name, not by instance: addresses would make a series of every restart.
        server_address: upstream.name(),
        server_port: address.port(),
        uri: request.uri(),
        resend_count: number,
    });
    span.inject(request.headers_mut());

    let times = record.local.config.times;
    let mut lease = match connection
        .in_time(upstream.lease(address, times.connect))
        .await
    {
        Err(late) => {
            span.finish(Err("timeout"));
            return Err(Attempt::Final(late));
        }
        Ok(Err(_)) => {
            picked.refused(Instant::now());
            span.finish(Err("connection_refused"));
            return Err(Attempt::Refused(Box::new(request)));
        }
        Ok(Ok(lease)) => lease,
    };
    picked.accepted();

    let body = request.body().clone();
    let copy = may_repeat.then(|| Box::new(copy(&request)));
    let outcome = connection
        .in_time(lease.sender().try_send_request(request))
        .await;
    let mut error = match outcome {
        Err(late) => {
            span.finish(Err("timeout"));
            return Err(Attempt::Final(late));
        }
        Ok(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            // Nobody asked for it: `Upgrade` is not sent on.
            span.finish(Ok(response.status()));
            return Err(Attempt::Final(Refusal::UpstreamFailed));
        }
        Ok(Ok(response)) => {
            span.finish(Ok(response.status()));
            return Ok(response.map(|incoming| Reply::new(incoming, lease, picked, body)));
        }
        Ok(Err(error)) => error,
    };
    if let Some(failure) = body.failure() {
        span.finish(Err(failure.name()));
        return Err(Attempt::Final(failure.into()));
    }
    span.finish(Err("connection_error"));
    if let Some(unsent) = error.take_message() {
        return Err(Attempt::Unsent(Box::new(unsent)));
    }
    // An answer that makes no sense was an answer: asking again would do it twice.
    let answered = error.error().is_parse();
    Err(Attempt::NoAnswer(
        copy.filter(|_| !answered && !body.was_read()),
    ))
}

/// The same head, and the same body, which must not have been read.
fn copy(request: &Outbound) -> Outbound {
    let mut copy = Request::new(request.body().clone());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy
}

fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_no_harm_twice_is_repeated() {
        for method in [
            Method::GET,
            Method::HEAD,
            Method::OPTIONS,
            Method::PUT,
            Method::DELETE,
        ] {
            assert!(is_idempotent(&method), "{method}");
        }
        for method in [Method::POST, Method::PATCH] {
            assert!(!is_idempotent(&method), "{method}");
        }
    }
}

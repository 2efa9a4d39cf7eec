//! OTLP over gRPC: unary `Export` on HTTP/2, without a gRPC framework.
//! Wire format: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use bytes::{Buf as _, Bytes};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};

use super::answer::{AnswerBody, Code, export_response, full, status};
use super::body::{self, BodyError, Packing};
use super::ingest::{Ingest, Outcome, Refused, Rejection, Signal, Transport};

/// One byte that says whether the message is compressed, four for its length.
const PREFIX: usize = 5;
/// What an overloaded receiver asks the sender to wait.
const RETRY_SECONDS: u64 = 1;

#[derive(Debug)]
struct Failure {
    code: Code,
    message: String,
    retry: bool,
}

impl Failure {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Failure {
            code,
            message: message.into(),
            retry: false,
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let message = rejection.to_string();
        let code = match rejection {
            Rejection::Malformed(_) | Rejection::Body(BodyError::Packed | BodyError::Broken) => {
                Code::InvalidArgument
            }
            // Without RetryInfo: the same request would be too large again.
            Rejection::Body(BodyError::TooLarge(_)) => Code::ResourceExhausted,
            Rejection::Body(BodyError::Slow) => Code::DeadlineExceeded,
            Rejection::Body(BodyError::Overload) => {
                return Failure {
                    code: Code::Unavailable,
                    message,
                    retry: true,
                };
            }
            Rejection::Internal => Code::Internal,
        };
        Failure {
            code,
            message,
            retry: false,
        }
    }
}

/// Answers one call.
pub(crate) async fn answer<B>(ingest: &Ingest, request: Request<B>) -> Response<AnswerBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    if !is_grpc(request.headers()) {
        let mut refusal = Response::new(full("this port speaks OTLP over gRPC"));
        *refusal.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return refusal;
    }
    let Some(signal) = signal(request.uri().path()) else {
        let failure = Failure::new(Code::Unimplemented, "unknown service or method");
        return failed(&failure);
    };
    let (outcome, response) = match export(ingest, signal, request).await {
        Ok(_) if signal != Signal::Traces => (Outcome::Discarded, success(Refused::default())),
        Ok(refused) if refused.spans() > 0 => (Outcome::Partial, success(refused)),
        Ok(refused) => (Outcome::Accepted, success(refused)),
        Err(failure) => (Outcome::Rejected, failed(&failure)),
    };
    ingest.meters.request(signal, Transport::Grpc, outcome, 1);
    response
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .map_or(&[][..], HeaderValue::as_bytes);
    match value.strip_prefix(b"application/grpc") {
        // Of the possible payloads only protobuf, the default, is spoken.
        Some(rest) => rest.is_empty() || rest.starts_with(b"+proto") || rest.starts_with(b";"),
        None => false,
    }
}

fn signal(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        _ => None,
    }
}

async fn export<B>(ingest: &Ingest, signal: Signal, request: Request<B>) -> Result<Refused, Failure>
where
    B: Body<Data = Bytes> + Unpin,
{
    if request.method() != Method::POST {
        return Err(Failure::new(Code::Unimplemented, "calls are POST requests"));
    }
    let encoding = request
        .headers()
        .get("grpc-encoding")
        .map_or(&[][..], HeaderValue::as_bytes);
    let Some(packing) = Packing::named(encoding) else {
        let message = "the compression is not supported, use gzip, deflate or none";
        return Err(Failure::new(Code::Unimplemented, message));
    };
    let limits = ingest.limits;
    if signal != Signal::Traces {
        body::discard(request.into_body(), limits)
            .await
            .map_err(Rejection::from)?;
        return Ok(Refused::default());
    }
    let mut share = ingest.inflight.share();
    let most = limits.message.saturating_add(PREFIX);
    let framed = body::read(request.into_body(), limits, most, &mut share).await;
    let (message, compressed) = unframe(framed.map_err(Rejection::from)?, limits.message)?;
    if compressed && packing == Packing::None {
        let message = "the message is compressed but grpc-encoding does not say how";
        return Err(Failure::new(Code::Internal, message));
    }
    let packing = if compressed { packing } else { Packing::None };
    Ok(ingest.traces(message, packing, share).await?)
}

/// The one message of a unary call.
fn unframe(mut framed: Bytes, limit: usize) -> Result<(Bytes, bool), Failure> {
    if framed.len() < PREFIX {
        return Err(Failure::new(Code::Unimplemented, "the call has no message"));
    }
    let flag = framed.get_u8();
    let length = framed.get_u32() as usize;
    if length > limit {
        return Err(Rejection::from(BodyError::TooLarge(limit)).into());
    }
    match (flag, framed.len() == length) {
        (0 | 1, true) => Ok((framed, flag == 1)),
        (0 | 1, false) if framed.len() > length => Err(Failure::new(
            Code::Unimplemented,
            "the call has more than one message",
        )),
        (0 | 1, false) => Err(Rejection::from(BodyError::Broken).into()),
        _ => Err(Failure::new(
            Code::Internal,
            "the message has an unknown flag",
        )),
    }
}

fn success(refused: Refused) -> Response<AnswerBody> {
    let message = export_response(refused);
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(&message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(framed)).with_trailers(std::future::ready(Some(Ok(trailers))));
    head(body.boxed_unsync())
}

/// Trailers only: the status is in the head, and there is no body.
fn failed(failure: &Failure) -> Response<AnswerBody> {
    let mut response = head(full(Bytes::new()));
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(failure.code as u16));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(&failure.message)) {
        headers.insert("grpc-message", message);
    }
    if failure.code == Code::Unimplemented {
        headers.insert(
            "grpc-accept-encoding",
            HeaderValue::from_static("identity,gzip,deflate"),
        );
    }
    if failure.retry {
        let details = BASE64.encode(status(failure.code, &failure.message, Some(RETRY_SECONDS)));
        if let Ok(details) = HeaderValue::from_str(&details) {
            headers.insert("grpc-status-details-bin", details);
        }
    }
    response
}

fn head(body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A status message as gRPC writes it: printable ASCII but the percent sign, the rest escaped.
fn percent_encoded(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_whole_message_a_call() {
        let framed = |flag: u8, length: u32, message: &[u8]| {
            let mut out = vec![flag];
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(message);
            unframe(out.into(), 10).map_err(|failure| failure.code)
        };
        assert_eq!(framed(0, 2, b"hi"), Ok((Bytes::from_static(b"hi"), false)));
        assert_eq!(framed(1, 0, b""), Ok((Bytes::new(), true)));
        assert_eq!(framed(0, 11, b""), Err(Code::ResourceExhausted));
        assert_eq!(framed(0, 3, b"hi"), Err(Code::InvalidArgument));
        assert_eq!(framed(0, 1, b"hi"), Err(Code::Unimplemented));
        assert_eq!(framed(2, 2, b"hi"), Err(Code::Internal));
        assert_eq!(
            unframe(Bytes::new(), 10).unwrap_err().code,
            Code::Unimplemented
        );
    }

    #[test]
    fn messages_are_escaped() {
        assert_eq!(percent_encoded("100 % \u{e9}\n"), "100 %25 %C3%A9%0A");
    }

    #[test]
    fn content_types() {
        let is = |value: &'static str| {
            is_grpc(&HeaderMap::from_iter([(
                CONTENT_TYPE,
                HeaderValue::from_static(value),
            )]))
        };
        assert!(is("application/grpc") && is("application/grpc+proto") && is("application/grpc;x"));
        assert!(!is("application/grpc+json") && !is("application/grpc-web") && !is("text/html"));
        assert!(!is_grpc(&HeaderMap::new()));
    }
}

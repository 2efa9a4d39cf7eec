//! OTLP over HTTP: protobuf by POST to `/v1/traces`, `/v1/metrics` and `/v1/logs`.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;

use super::answer::{AnswerBody, Code, export_response, full, status};
use super::body::{self, BodyError, Packing};
use super::ingest::{Ingest, Outcome, Refused, Rejection, Signal, Transport};

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Answers one request.
pub(crate) async fn answer<B>(ingest: &Ingest, request: Request<B>) -> Response<AnswerBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let Some(signal) = signal(request.uri().path()) else {
        return text(StatusCode::NOT_FOUND, "404 page not found");
    };
    let (outcome, response) = match export(ingest, signal, request).await {
        Ok(_) if signal != Signal::Traces => (Outcome::Discarded, success(Refused::default())),
        Ok(refused) if refused.spans() > 0 => (Outcome::Partial, success(refused)),
        Ok(refused) => (Outcome::Accepted, success(refused)),
        Err(response) => (Outcome::Rejected, *response),
    };
    ingest.meters.request(signal, Transport::Http, outcome, 1);
    response
}

fn signal(path: &str) -> Option<Signal> {
    match path {
        "/v1/traces" => Some(Signal::Traces),
        "/v1/metrics" => Some(Signal::Metrics),
        "/v1/logs" => Some(Signal::Logs),
        _ => None,
    }
}

async fn export<B>(
    ingest: &Ingest,
    signal: Signal,
    request: Request<B>,
) -> Result<Refused, Box<Response<AnswerBody>>>
where
    B: Body<Data = Bytes> + Unpin,
{
    if request.method() != Method::POST {
        let message = "405 method not allowed, supported: [POST]";
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, message);
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("POST"));
        return Err(Box::new(response));
    }
    if !is_protobuf(request.headers()) {
        let message = "415 unsupported media type, supported: [application/x-protobuf]";
        return Err(Box::new(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)));
    }
    let encoding = request.headers().get(CONTENT_ENCODING);
    let Some(packing) = Packing::named(encoding.map_or(&[][..], HeaderValue::as_bytes)) else {
        let message = "415 unsupported content encoding, supported: [gzip, deflate, identity]";
        return Err(Box::new(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)));
    };
    let limits = ingest.limits;
    let taken = async {
        if signal != Signal::Traces {
            body::discard(request.into_body(), limits).await?;
            return Ok(Refused::default());
        }
        let mut share = ingest.inflight.share();
        let message = body::read(request.into_body(), limits, limits.message, &mut share).await?;
        ingest.traces(message, packing, share).await
    };
    taken
        .await
        .map_err(|rejection| Box::new(rejected(rejection)))
}

/// Media types are compared without case and without parameters.
fn is_protobuf(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let media = value.split(';').next().unwrap_or("").trim();
    media.eq_ignore_ascii_case("application/x-protobuf")
}

fn rejected(rejection: Rejection) -> Response<AnswerBody> {
    let (http, code) = match rejection {
        Rejection::Malformed(_) | Rejection::Body(BodyError::Packed | BodyError::Broken) => {
            (StatusCode::BAD_REQUEST, Code::InvalidArgument)
        }
        Rejection::Body(BodyError::TooLarge(_)) => {
            (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted)
        }
        Rejection::Body(BodyError::Slow) => (StatusCode::REQUEST_TIMEOUT, Code::DeadlineExceeded),
        Rejection::Body(BodyError::Overload) => {
            (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
        }
        Rejection::Internal => (StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
    };
    let mut response = message(http, status(code, &rejection.to_string(), None));
    if http == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn success(refused: Refused) -> Response<AnswerBody> {
    message(StatusCode::OK, export_response(refused))
}

fn message(status: StatusCode, message: Vec<u8>) -> Response<AnswerBody> {
    let mut response = Response::new(full(message));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, PROTOBUF);
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<AnswerBody> {
    let mut response = Response::new(full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

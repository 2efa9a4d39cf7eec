//! OTLP/HTTP, as in the [specification](https://opentelemetry.io/docs/specs/otlp/#otlphttp).

use super::client::{Answer, Delivered, SendError, Status};
use super::connect::{Stream, authority};
use super::retry::MOST_ASKED;
use super::{response, status};
use crate::settings::{Compression, Otlp, Protocol};
use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use ::http::{HeaderMap, HeaderValue, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::time::{Duration, SystemTime};

/// Answers are short; more than this is not read.
pub(super) const MAX_ANSWER: usize = 64 * 1024;
/// Names this crate to the collector.
pub(super) const AGENT: &str = concat!("citywatch-telemetry/", env!("CARGO_PKG_VERSION"));

#[derive(Debug)]
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(stream: Stream) -> Result<Connection, SendError> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its errors come out of the sender as well.
        tokio::spawn(connection);
        Ok(Connection { sender })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub(super) async fn export(&mut self, otlp: &Otlp, body: Bytes) -> Result<Answer, SendError> {
        let path = otlp
            .endpoint
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let mut request = Request::post(path)
            .header(HOST, authority(&otlp.endpoint))
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, content_type(otlp.protocol))
            .body(Full::new(body))?;
        if otlp.compression == Compression::Gzip {
            request
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        request.headers_mut().extend(otlp.headers.iter().cloned());
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(SendError::Body)?
            .to_bytes();
        Ok(judge(otlp.protocol, head.status, &head.headers, &body))
    }
}

const PROTOBUF: &str = "application/x-protobuf";

fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::HttpJson => "application/json",
        Protocol::HttpProtobuf | Protocol::Grpc => PROTOBUF,
    }
}

/// A collector answers in the format of the request.
pub(super) fn judge(
    protocol: Protocol,
    code: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    let status = Status::Http(code.as_u16());
    if code.is_success() {
        return match protocol {
            Protocol::HttpJson => response::taken_json(status, body),
            Protocol::HttpProtobuf | Protocol::Grpc => response::taken(status, body),
        };
    }
    let delivered = match code.as_u16() {
        429 | 502 | 503 | 504 => Delivered::Retry {
            after: headers.get(RETRY_AFTER).and_then(retry_after),
        },
        _ => Delivered::Refused,
    };
    let kind = headers
        .get(CONTENT_TYPE)
        .map_or(&[][..], HeaderValue::as_bytes);
    let said = if kind.starts_with(PROTOBUF.as_bytes()) {
        status::message(body)
    } else {
        String::new()
    };
    Answer {
        delivered,
        status,
        reason: format!("{code} {said}").trim_end().to_owned(),
    }
}

/// Seconds, or a date ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#field.retry-after)).
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?;
            date.duration_since(SystemTime::now()).unwrap_or_default()
        }
    };
    Some(wait.min(MOST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(code: u16) -> StatusCode {
        StatusCode::from_u16(code).unwrap()
    }

    fn asked(after: &str) -> Option<Duration> {
        retry_after(&HeaderValue::from_str(after).unwrap())
    }

    #[test]
    fn only_what_the_specification_names_is_tried_again() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().unwrap())]);
        for status in [429, 502, 503, 504] {
            let after = Some(Duration::from_secs(7));
            assert_eq!(
                judge(Protocol::HttpProtobuf, code(status), &headers, &[]).delivered,
                Delivered::Retry { after }
            );
        }
        for status in [301, 400, 401, 404, 408, 413, 500, 501, 505] {
            let answer = judge(Protocol::HttpProtobuf, code(status), &headers, &[]);
            assert_eq!(answer.delivered, Delivered::Refused, "{status}");
        }
    }

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("0"), Some(Duration::ZERO));
        let in_an_hour = SystemTime::now() + Duration::from_secs(3600);
        let wait = asked(&httpdate::fmt_http_date(in_an_hour)).unwrap();
        assert!(wait > Duration::from_secs(3000) && wait <= Duration::from_secs(3600));
        assert_eq!(asked("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        for far in ["18446744073709551615", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(asked(far), Some(MOST_ASKED), "{far}");
        }
        for nonsense in ["-1", "soon", "", "1.5"] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn the_collector_s_own_words_are_kept() {
        let kind = HeaderValue::from_static("application/x-protobuf");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        let answer = judge(
            Protocol::HttpProtobuf,
            code(400),
            &headers,
            b"\x12\x09no tenant",
        );
        assert_eq!(answer.reason, "400 Bad Request no tenant");
        let answer = judge(
            Protocol::HttpProtobuf,
            code(400),
            &HeaderMap::new(),
            b"<html>",
        );
        assert_eq!(answer.reason, "400 Bad Request");
    }
}

//! OTLP/gRPC: one unary call, written by hand over HTTP/2 as in the
//! [protocol](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

use super::client::{Answer, Delivered, SendError, Status};
use super::connect::{Stream, authority};
use super::http::{AGENT, MAX_ANSWER};
use super::{response, status};
use crate::settings::{Compression, Otlp};
use ::http::header::{CONTENT_TYPE, TE, USER_AGENT};
use ::http::{HeaderMap, HeaderValue, Request, StatusCode};
use bytes::buf::Chain;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

#[derive(Debug)]
pub(super) struct Connection {
    sender: http2::SendRequest<Full<Chain<Bytes, Bytes>>>,
}

impl Connection {
    pub(super) async fn open(stream: Stream) -> Result<Connection, SendError> {
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // Its errors come out of the sender as well.
        tokio::spawn(connection);
        Ok(Connection { sender })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub(super) async fn export(
        &mut self,
        otlp: &Otlp,
        method: &str,
        body: Bytes,
    ) -> Result<Answer, SendError> {
        let scheme = otlp.endpoint.scheme_str().unwrap_or("http");
        let authority = authority(&otlp.endpoint);
        let compressed = otlp.compression == Compression::Gzip;
        let mut request = Request::post(format!("{scheme}://{authority}{method}"))
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .header(
                "grpc-timeout",
                format!("{}m", otlp.timeout.as_millis().min(99_999_999)),
            )
            .body(Full::new(frame(compressed, body)))?;
        if compressed {
            request
                .headers_mut()
                .insert("grpc-encoding", HeaderValue::from_static("gzip"));
        }
        request.headers_mut().extend(otlp.headers.iter().cloned());
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(SendError::Body)?;
        let trailers = body.trailers().cloned();
        // An answer without a body puts its status into the head.
        let status = trailers
            .as_ref()
            .filter(|trailers| trailers.contains_key("grpc-status"));
        Ok(judge(
            head.status,
            status.unwrap_or(&head.headers),
            &body.to_bytes(),
        ))
    }
}

/// One length-prefixed message.
fn frame(compressed: bool, message: Bytes) -> Chain<Bytes, Bytes> {
    let mut prefix = BytesMut::with_capacity(5);
    prefix.put_u8(u8::from(compressed));
    // A batch is far below 4 GiB.
    prefix.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    prefix.freeze().chain(message)
}

pub(super) fn judge(http: StatusCode, trailers: &HeaderMap, body: &[u8]) -> Answer {
    let text = |name| {
        trailers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let message = text("grpc-message").unwrap_or_default();
    let Some(code) = text("grpc-status").and_then(|code| code.parse::<u16>().ok()) else {
        // A proxy answered instead of the collector.
        return Answer {
            delivered: match http.as_u16() {
                429 | 502 | 503 | 504 => Delivered::Retry { after: None },
                _ => Delivered::Refused,
            },
            status: Status::Http(http.as_u16()),
            reason: http.to_string(),
        };
    };
    let status = Status::Grpc(code);
    let after = trailers
        .get("grpc-status-details-bin")
        .and_then(status::retry_delay);
    let delivered = match code {
        // The message is not compressed: we do not offer to read any compression.
        0 => return response::taken(status, body.get(5..).unwrap_or_default()),
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        1 | 4 | 10 | 11 | 14 | 15 => Delivered::Retry { after },
        // RESOURCE_EXHAUSTED: only if the collector says that it can recover. Without that it
        // may mean that the request is too large, and will be for ever.
        8 if after.is_some() => Delivered::Retry { after },
        _ => Delivered::Refused,
    };
    Answer {
        delivered,
        status,
        reason: format!("{} {message}", status::code_name(code))
            .trim_end()
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn delivered(http: u16, code: Option<&str>, details: Option<HeaderValue>) -> Delivered {
        let mut trailers = HeaderMap::new();
        if let Some(code) = code {
            trailers.insert("grpc-status", code.parse().unwrap());
        }
        if let Some(details) = details {
            trailers.insert("grpc-status-details-bin", details);
        }
        judge(
            StatusCode::from_u16(http).unwrap(),
            &trailers,
            &[0, 0, 0, 0, 0],
        )
        .delivered
    }

    #[test]
    fn codes_decide() {
        let taken = Delivered::Taken { rejected: 0 };
        let retry = Delivered::Retry { after: None };
        assert_eq!(delivered(200, Some("0"), None), taken);
        for code in ["1", "4", "10", "11", "14", "15"] {
            assert_eq!(delivered(200, Some(code), None), retry, "{code}");
        }
        for code in [
            "2", "3", "5", "6", "7", "8", "9", "12", "13", "16", "99", "x",
        ] {
            assert_eq!(
                delivered(200, Some(code), None),
                Delivered::Refused,
                "{code}"
            );
        }
        assert_eq!(delivered(503, None, None), retry);
        assert_eq!(delivered(404, None, None), Delivered::Refused);
    }

    #[test]
    fn retry_info_says_when_and_that_exhaustion_will_pass() {
        let after = Some(Duration::from_millis(2_500));
        for code in ["8", "14"] {
            let details = status::tests::details(2, 500_000_000);
            assert_eq!(
                delivered(200, Some(code), Some(details)),
                Delivered::Retry { after },
                "{code}"
            );
        }
        let details = status::tests::details(2, 0);
        assert_eq!(delivered(200, Some("3"), Some(details)), Delivered::Refused);
    }

    #[test]
    fn a_frame_is_a_flag_a_length_and_the_message() {
        let bytes = |mut frame: Chain<Bytes, Bytes>| frame.copy_to_bytes(frame.remaining());
        assert_eq!(
            bytes(frame(false, Bytes::from_static(b"abc"))),
            &b"\0\0\0\0\x03abc"[..]
        );
        assert_eq!(bytes(frame(true, Bytes::new()))[0], 1);
    }
}

//! OTLP/gRPC: one unary call, written by hand over HTTP/2 as in the
//! [protocol](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).

use super::client::{Answer, Delivered, SendError};
use super::http::{AGENT, MAX_ANSWER};
use super::response;
use crate::settings::{Compression, Otlp};
use ::http::header::{CONTENT_TYPE, TE, USER_AGENT};
use ::http::{HeaderMap, HeaderValue, Request, StatusCode};
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(super) struct Connection {
    sender: http2::SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(stream: TcpStream) -> Result<Connection, SendError> {
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
        let authority = otlp
            .endpoint
            .authority()
            .map_or("", |authority| authority.as_str());
        let compressed = otlp.compression == Compression::Gzip;
        let mut request = Request::post(format!("http://{authority}{method}"))
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .header(
                "grpc-timeout",
                format!("{}m", otlp.timeout.as_millis().min(99_999_999)),
            )
            .body(Full::new(frame(compressed, &body)))?;
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
fn frame(compressed: bool, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(u8::from(compressed));
    // A batch is far below 4 GiB.
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

fn judge(status: StatusCode, trailers: &HeaderMap, body: &[u8]) -> Answer {
    let text = |name| {
        trailers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let code = text("grpc-status").and_then(|code| code.parse::<u16>().ok());
    let message = text("grpc-message").unwrap_or_default();
    let delivered = match code {
        // The message is not compressed: we do not offer to read any compression.
        Some(0) => return response::taken(body.get(5..).unwrap_or_default()),
        // CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE, UNAVAILABLE,
        // DATA_LOSS. The specification wants RESOURCE_EXHAUSTED tried again only with RetryInfo;
        // collectors under memory pressure send it without.
        Some(1 | 4 | 8 | 10 | 11 | 14 | 15) => Delivered::Retry { after: None },
        Some(_) => Delivered::Refused,
        // A proxy answered instead of the collector.
        None => match status.as_u16() {
            429 | 502 | 503 | 504 => Delivered::Retry { after: None },
            _ => Delivered::Refused,
        },
    };
    let code = code.map_or_else(|| status.to_string(), |code| format!("grpc-status {code}"));
    Answer {
        delivered,
        reason: format!("{code} {message}").trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(status: u16, code: Option<&str>) -> Delivered {
        let mut trailers = HeaderMap::new();
        if let Some(code) = code {
            trailers.insert("grpc-status", code.parse().unwrap());
        }
        judge(
            StatusCode::from_u16(status).unwrap(),
            &trailers,
            &[0, 0, 0, 0, 0],
        )
        .delivered
    }

    #[test]
    fn codes_decide() {
        assert_eq!(delivered(200, Some("0")), Delivered::Taken { rejected: 0 });
        for code in ["1", "4", "8", "10", "11", "14", "15"] {
            assert_eq!(
                delivered(200, Some(code)),
                Delivered::Retry { after: None },
                "{code}"
            );
        }
        for code in ["2", "3", "5", "7", "12", "13", "16", "99"] {
            assert_eq!(delivered(200, Some(code)), Delivered::Refused, "{code}");
        }
        assert_eq!(delivered(503, None), Delivered::Retry { after: None });
        assert_eq!(delivered(404, None), Delivered::Refused);
        assert_eq!(delivered(200, Some("x")), Delivered::Refused);
    }

    #[test]
    fn a_frame_is_a_flag_a_length_and_the_message() {
        assert_eq!(&frame(false, b"abc")[..], b"\0\0\0\0\x03abc");
        assert_eq!(frame(true, b"")[0], 1);
    }
}

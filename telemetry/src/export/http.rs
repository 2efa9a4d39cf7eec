//! OTLP/HTTP with binary protobuf, as in the
//! [specification](https://opentelemetry.io/docs/specs/otlp/#otlphttp).

use super::client::{Answer, Delivered, SendError};
use super::response;
use crate::settings::{Compression, Otlp};
use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use ::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// Answers are short; more than this is not read.
pub(super) const MAX_ANSWER: usize = 64 * 1024;
/// Names this crate to the collector.
pub(super) const AGENT: &str = concat!("citywatch-telemetry/", env!("CARGO_PKG_VERSION"));

#[derive(Debug)]
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(stream: TcpStream) -> Result<Connection, SendError> {
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
        let host = otlp
            .endpoint
            .authority()
            .map_or("", |authority| authority.as_str());
        let mut request = Request::post(path)
            .header(HOST, host)
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(Full::new(body))?;
        if otlp.compression == Compression::Gzip {
            request
                .headers_mut()
                .insert(CONTENT_ENCODING, ::http::HeaderValue::from_static("gzip"));
        }
        request.headers_mut().extend(otlp.headers.iter().cloned());
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(SendError::Body)?
            .to_bytes();
        Ok(judge(head.status, &head.headers, &body))
    }
}

fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
    if status.is_success() {
        return response::taken(body);
    }
    let delivered = match status.as_u16() {
        429 | 502 | 503 | 504 => {
            let after = headers
                .get(RETRY_AFTER)
                .and_then(|after| after.to_str().ok()?.parse().ok());
            Delivered::Retry {
                after: after.map(Duration::from_secs),
            }
        }
        _ => Delivered::Refused,
    };
    Answer {
        delivered,
        reason: status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_specification_names_is_tried_again() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "7".parse().unwrap())]);
        for status in [429, 502, 503, 504] {
            let status = StatusCode::from_u16(status).unwrap();
            let after = Some(Duration::from_secs(7));
            assert_eq!(
                judge(status, &headers, &[]).delivered,
                Delivered::Retry { after }
            );
        }
        for status in [301, 400, 401, 404, 413, 500, 501] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(judge(status, &headers, &[]).delivered, Delivered::Refused);
        }
    }
}

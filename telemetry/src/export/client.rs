//! One attempt to deliver a request of any signal.

use super::signal::Signal;
use super::{grpc, http};
use crate::settings::{Compression, Otlp, Protocol};
use bytes::Bytes;
use flate2::write::GzEncoder;
use std::io::{self, Write as _};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What the collector said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It has the items (spans, data points or log records), but for these.
    Taken { rejected: u64 },
    /// It will never take them.
    Refused,
    /// It may take them later, not before what it asks for.
    Retry { after: Option<Duration> },
}

/// What went wrong before the collector could say anything.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    #[error("connection failed: {0}")]
    Http(#[from] hyper::Error),
    #[error("request is not valid: {0}")]
    Request(#[from] ::http::Error),
    #[error("answer cannot be read: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("no answer in time")]
    Timeout,
}

/// What the collector answered, in the words of the protocol.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) delivered: Delivered,
    pub(super) reason: String,
}

/// A connection to the collector for one signal, made when needed. It belongs into a tokio
/// runtime with I/O and time.
#[derive(Debug)]
pub(crate) struct Client {
    otlp: Otlp,
    signal: Signal,
    http: Option<http::Connection>,
    grpc: Option<grpc::Connection>,
    /// The last attempt failed; said once, not for each attempt.
    away: bool,
}

impl Client {
    pub(crate) fn new(otlp: Otlp, signal: Signal) -> Client {
        Client {
            otlp,
            signal,
            http: None,
            grpc: None,
            away: false,
        }
    }

    /// Sends an encoded `Export…ServiceRequest` once, within the endpoint's timeout. A collector
    /// that goes away and comes back is logged once each.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Delivered {
        let signal = self.signal.as_str();
        let body = match self.otlp.compression {
            Compression::None => Bytes::copy_from_slice(request),
            Compression::Gzip => gzip(request),
        };
        let limit = self.otlp.timeout;
        let attempt = timeout(limit, self.attempt(body)).await;
        let attempt = attempt.unwrap_or(Err(SendError::Timeout));
        let endpoint = &self.otlp.endpoint;
        match attempt {
            Ok(Answer {
                delivered: Delivered::Retry { after },
                reason,
            }) => {
                if !std::mem::replace(&mut self.away, true) {
                    tracing::warn!(signal, %endpoint, reason, "collector takes nothing now");
                }
                Delivered::Retry { after }
            }
            Ok(Answer { delivered, reason }) => {
                if std::mem::take(&mut self.away) {
                    tracing::info!(signal, %endpoint, "collector answers again");
                }
                if delivered != (Delivered::Taken { rejected: 0 }) {
                    tracing::warn!(signal, %endpoint, reason, "collector refused data");
                }
                delivered
            }
            Err(error) => {
                self.http = None;
                self.grpc = None;
                if !std::mem::replace(&mut self.away, true) {
                    tracing::warn!(signal, %endpoint, %error, "collector is away, data waits");
                }
                Delivered::Retry { after: None }
            }
        }
    }

    async fn attempt(&mut self, body: Bytes) -> Result<Answer, SendError> {
        match self.otlp.protocol {
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                let mut connection = match self.http.take() {
                    Some(connection) if connection.is_open() => connection,
                    _ => http::Connection::open(connect(&self.otlp).await?).await?,
                };
                let answer = connection.export(&self.otlp, body).await?;
                self.http = Some(connection);
                Ok(answer)
            }
            Protocol::Grpc => {
                let mut connection = match self.grpc.take() {
                    Some(connection) if connection.is_open() => connection,
                    _ => grpc::Connection::open(connect(&self.otlp).await?).await?,
                };
                let method = self.signal.grpc_method();
                let answer = connection.export(&self.otlp, method, body).await?;
                self.grpc = Some(connection);
                Ok(answer)
            }
        }
    }
}

async fn connect(otlp: &Otlp) -> io::Result<TcpStream> {
    let host = otlp.endpoint.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = otlp.endpoint.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn gzip(request: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(request);
    encoder.finish().unwrap_or_default().into()
}

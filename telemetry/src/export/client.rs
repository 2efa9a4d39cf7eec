//! One attempt to deliver a request of any signal.

use super::breaker::{Breaker, Failure, Pause};
use super::connect::Connector;
use super::error::OtlpError;
use super::journal::{ErrorType, Journal};
use super::json::to_json;
use super::signal::Signal;
use super::zipkin::to_zipkin;
use super::{grpc, http, status};
use crate::settings::{Compression, Otlp, Protocol, Zipkin};
use bytes::Bytes;
use flate2::write::GzEncoder;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep_until, timeout_at};

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

/// The code of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Http(u16),
    Grpc(u16),
}

impl Status {
    /// The name of a gRPC code.
    pub(crate) fn name(code: u16) -> &'static str {
        status::code_name(code)
    }

    fn error_type(self) -> ErrorType {
        match self {
            Status::Http(code) => code.to_string().into(),
            Status::Grpc(code) => Status::name(code).into(),
        }
    }
}

/// What went wrong before the collector could say anything.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[cfg(feature = "tls")]
    #[error("no TLS with the collector: {0}")]
    Tls(io::Error),
    #[error("connection failed: {0}")]
    Http(#[from] hyper::Error),
    #[error("request is not valid: {0}")]
    Request(#[from] ::http::Error),
    #[error("answer cannot be read: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("no answer in time")]
    Timeout,
}

impl SendError {
    fn error_type(&self) -> ErrorType {
        let kind = match self {
            SendError::Connect(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => "connection_refused",
                _ => "connect",
            },
            #[cfg(feature = "tls")]
            SendError::Tls(_) => "tls",
            SendError::Http(_) => "connection",
            SendError::Request(_) => "request",
            SendError::Body(_) => "answer",
            SendError::Timeout => "timeout",
        };
        kind.into()
    }
}

/// What the collector answered, in the words of the protocol.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) delivered: Delivered,
    pub(super) status: Status,
    pub(super) reason: String,
}

/// How an attempt ended, and why.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) delivered: Delivered,
    pub(super) status: Option<Status>,
    /// `None`: all was taken.
    pub(super) error: Option<ErrorType>,
}

/// A connection to the collector for one signal, made when needed, behind a breaker. It belongs
/// into a tokio runtime with I/O and time.
#[derive(Debug)]
pub(crate) struct Client {
    otlp: Otlp,
    signal: Signal,
    /// Of requests that travel as JSON.
    json: fn(Signal, &[u8]) -> Vec<u8>,
    connector: Connector,
    http: Option<http::Connection>,
    grpc: Option<grpc::Connection>,
    breaker: Breaker,
    journal: Arc<Journal>,
    /// Of the last answer.
    status: Option<Status>,
    /// Of the attempt before, if it failed.
    error: Option<ErrorType>,
    /// When a refusal was logged last: a collector that refuses everything is not worth a line
    /// for each batch.
    refused: Option<Instant>,
}

const BETWEEN_LINES: Duration = Duration::from_secs(60);

impl Client {
    /// Reads what the endpoint needs; no connection is made yet.
    pub(crate) fn new(otlp: Otlp, signal: Signal) -> Result<Client, OtlpError> {
        let connector = Connector::new(&otlp)?;
        let server = (connector.host.clone(), connector.port);
        Ok(Client {
            journal: Arc::new(Journal::new(otlp.protocol, signal, server)),
            otlp,
            signal,
            json: to_json,
            connector,
            http: None,
            grpc: None,
            breaker: Breaker::new(),
            status: None,
            error: None,
            refused: None,
        })
    }

    /// A client of Zipkin's API, which differs from OTLP over HTTP only in the JSON.
    pub(crate) fn zipkin(zipkin: &Zipkin) -> Result<Client, OtlpError> {
        let otlp = Otlp {
            endpoint: zipkin.endpoint.clone(),
            protocol: Protocol::HttpJson,
            timeout: zipkin.timeout,
            ..Otlp::default()
        };
        let mut client = Client::new(otlp, Signal::Traces)?;
        client.json = |_, request| to_zipkin(request);
        Ok(client)
    }

    /// Of one attempt.
    pub(crate) fn timeout(&self) -> Duration {
        self.otlp.timeout
    }

    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Why the last attempt failed, if it did.
    pub(super) fn last_error(&self) -> Option<ErrorType> {
        self.error.clone()
    }

    /// What the next attempt has to wait for.
    pub(super) fn pause(&self) -> Option<Pause> {
        self.breaker.pause()
    }

    /// Sends an encoded `Export…ServiceRequest` once, within the endpoint's timeout, unless the
    /// collector is to be left alone now.
    async fn send(&mut self, request: &[u8]) -> Delivered {
        let now = Instant::now();
        let until = self.pause().map(|pause| pause.until(false));
        if let Some(until) = until.filter(|until| *until > now) {
            let after = Some(until - now);
            return Delivered::Retry { after };
        }
        let body = self.pack(request.to_vec());
        let attempt = self.attempt(body, now + self.otlp.timeout).await;
        attempt.delivered
    }

    /// An export of so many items begins, however many times it has to be sent.
    pub(crate) fn begin(&self, items: u64) -> Instant {
        self.journal.tally().begin(items);
        Instant::now()
    }

    /// It is over: it was taken or refused, or there is no time left.
    pub(crate) fn end(&self, begun: Instant, delivered: Option<&Delivered>) {
        let (lost, error) = match delivered {
            Some(Delivered::Taken { rejected: 0 }) => (0, None),
            Some(Delivered::Taken { rejected }) => (*rejected, self.last_error()),
            _ => (u64::MAX, self.last_error().or(Some("timeout".into()))),
        };
        let status = self.status.filter(|_| delivered.is_some());
        self.journal.record(begun.elapsed(), status, error.clone());
        self.journal.tally().end(error.unwrap_or_default(), lost);
    }

    /// Sends an encoded `Export…ServiceRequest` until the collector has decided about it, or `end`
    /// has come; if not `again`, only once. What was decided, if anything was.
    pub(crate) async fn deliver(
        &mut self,
        request: &[u8],
        end: Instant,
        again: bool,
    ) -> Option<Delivered> {
        loop {
            let after = match timeout_at(end.into(), self.send(request)).await {
                // What the breaker asks for is waited for by the next attempt.
                Ok(Delivered::Retry { after }) => after.unwrap_or_default(),
                Ok(decided) => return Some(decided),
                Err(_) => return None,
            };
            let next = Instant::now() + after;
            if !again || next >= end {
                return None;
            }
            sleep_until(next.into()).await;
        }
    }

    /// The request as it travels.
    pub(super) fn pack(&self, request: Vec<u8>) -> Bytes {
        let request = match self.otlp.protocol {
            Protocol::HttpJson => (self.json)(self.signal, &request),
            Protocol::HttpProtobuf | Protocol::Grpc => request,
        };
        match self.otlp.compression {
            Compression::None => request.into(),
            Compression::Gzip => gzip(&request),
        }
    }

    /// Sends a packed request once, whatever the breaker thinks of it. A collector that is left
    /// alone and found again is logged once each.
    ///
    /// It ends with the endpoint's timeout, or by `end` if that is earlier.
    pub(super) async fn attempt(&mut self, body: Bytes, end: Instant) -> Attempt {
        let end = end.min(Instant::now() + self.otlp.timeout);
        self.breaker.attempt();
        self.journal.set_state(self.breaker.state());
        let answer = timeout_at(end.into(), self.exchange(body)).await;
        let (delivered, status, error, reason) = match answer.unwrap_or(Err(SendError::Timeout)) {
            Ok(Answer {
                delivered,
                status,
                reason,
            }) => {
                let error = match delivered {
                    Delivered::Taken { rejected: 0 } => None,
                    Delivered::Taken { .. } => Some("rejected".into()),
                    Delivered::Refused | Delivered::Retry { .. } => Some(status.error_type()),
                };
                (delivered, Some(status), error, reason)
            }
            Err(error) => {
                self.http = None;
                self.grpc = None;
                let after = Delivered::Retry { after: None };
                (after, None, Some(error.error_type()), error.to_string())
            }
        };
        self.book(&delivered, &reason);
        self.status = status;
        self.error.clone_from(&error);
        Attempt {
            delivered,
            status,
            error,
        }
    }

    fn book(&mut self, delivered: &Delivered, reason: &str) {
        let signal = self.signal.as_str();
        let (server, port) = (self.connector.host.as_str(), self.connector.port);
        let now = Instant::now();
        match delivered {
            Delivered::Retry { after } => match self.breaker.failed(now, *after) {
                Failure::First => {
                    tracing::info!(signal, server, port, reason, "data waits for the collector");
                }
                Failure::Opens => {
                    tracing::warn!(
                        signal,
                        server,
                        port,
                        reason,
                        "collector is away, left alone for growing pauses"
                    );
                }
                Failure::Another => {
                    tracing::debug!(signal, server, port, reason, "collector is still away");
                }
            },
            Delivered::Taken { .. } | Delivered::Refused => {
                if self.breaker.answered() {
                    tracing::warn!(signal, server, port, "collector answers again");
                }
            }
        }
        let refused = matches!(
            delivered,
            Delivered::Refused | Delivered::Taken { rejected: 1.. }
        );
        let quiet = self
            .refused
            .is_some_and(|at| now.duration_since(at) < BETWEEN_LINES);
        if refused && !quiet {
            self.refused = Some(now);
            tracing::warn!(signal, server, port, reason, "collector refused data");
        }
        self.journal.set_state(self.breaker.state());
    }

    async fn exchange(&mut self, body: Bytes) -> Result<Answer, SendError> {
        match self.otlp.protocol {
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                let mut connection = match self.http.take() {
                    Some(connection) if connection.is_open() => connection,
                    _ => http::Connection::open(self.connector.connect().await?).await?,
                };
                let answer = connection.export(&self.otlp, body).await?;
                self.http = Some(connection);
                Ok(answer)
            }
            Protocol::Grpc => {
                let mut connection = match self.grpc.take() {
                    Some(connection) if connection.is_open() => connection,
                    _ => grpc::Connection::open(self.connector.connect().await?).await?,
                };
                let method = self.signal.grpc_method();
                let answer = connection.export(&self.otlp, method, body).await?;
                self.grpc = Some(connection);
                Ok(answer)
            }
        }
    }
}

fn gzip(request: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(request);
    encoder.finish().unwrap_or_default().into()
}

//! The way to a collector: TCP, and TLS over it.

use crate::settings::Otlp;
use ::http::Uri;
use ::http::uri::Scheme;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection that is ready for HTTP.
pub(super) type Stream = Box<dyn Io>;

pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub(super) async fn connect(otlp: &Otlp) -> io::Result<Stream> {
    let host = otlp.endpoint.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, port(&otlp.endpoint))).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// The port that an endpoint means.
pub(super) fn port(endpoint: &Uri) -> u16 {
    let https = endpoint.scheme() == Some(&Scheme::HTTPS);
    endpoint.port_u16().unwrap_or(if https { 443 } else { 80 })
}

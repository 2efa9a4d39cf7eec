//! The way to a collector: TCP, and TLS over it.

use super::client::SendError;
use super::error::OtlpError;
#[cfg(feature = "tls")]
use super::tls::Handshake;
use crate::settings::Otlp;
use ::http::Uri;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection that is ready for HTTP.
pub(super) type Stream = Box<dyn Io>;

pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Where a collector is, and how to get there.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) host: String,
    pub(super) port: u16,
    #[cfg(feature = "tls")]
    tls: Option<Handshake>,
}

impl Connector {
    pub(super) fn new(otlp: &Otlp) -> Result<Connector, OtlpError> {
        let endpoint = &otlp.endpoint;
        let host = endpoint.host().ok_or(OtlpError::Endpoint)?;
        // What is in brackets is an address of IPv6.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let secure = match endpoint.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(OtlpError::Endpoint),
        };
        #[cfg(not(feature = "tls"))]
        if secure {
            return Err(OtlpError::NoTls);
        }
        Ok(Connector {
            host: host.to_owned(),
            port: endpoint.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            #[cfg(feature = "tls")]
            tls: match secure {
                true => Some(Handshake::new(otlp, host)?),
                false => None,
            },
        })
    }

    pub(super) async fn connect(&self) -> Result<Stream, SendError> {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(SendError::Connect)?;
        stream.set_nodelay(true).map_err(SendError::Connect)?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let stream = tls.over(stream).await.map_err(SendError::Tls)?;
            return Ok(Box::new(stream));
        }
        Ok(Box::new(stream))
    }
}

/// Host and port as HTTP names them. Who wrote a password into the endpoint did not mean it to be
/// sent.
pub(super) fn authority(endpoint: &Uri) -> &str {
    let authority = endpoint
        .authority()
        .map_or("", |authority| authority.as_str());
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector(endpoint: &'static str) -> Result<Connector, OtlpError> {
        Connector::new(&Otlp {
            endpoint: Uri::from_static(endpoint),
            ..Otlp::default()
        })
    }

    #[test]
    fn endpoints_say_where_to_go() {
        for (endpoint, host, port) in [
            ("http://c/v1/traces", "c", 80),
            ("http://c:4318/v1/traces", "c", 4318),
            ("http://[::1]:4318", "::1", 4318),
            #[cfg(feature = "tls")]
            ("https://c", "c", 443),
            #[cfg(feature = "tls")]
            ("https://[2001:db8::1]:4317", "2001:db8::1", 4317),
        ] {
            let connector = connector(endpoint).unwrap();
            assert_eq!((connector.host.as_str(), connector.port), (host, port));
        }
        for endpoint in ["c:4318", "/v1/traces", "ftp://c"] {
            let refused = connector(endpoint);
            assert!(matches!(refused, Err(OtlpError::Endpoint)), "{endpoint}");
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn without_tls_https_is_refused() {
        let error = connector("https://c").unwrap_err();
        assert!(error.to_string().contains("feature \"tls\""), "{error}");
    }

    #[test]
    fn passwords_are_not_sent() {
        let endpoint = Uri::from_static("http://me:secret@c:4318/v1/traces");
        assert_eq!(authority(&endpoint), "c:4318");
        assert_eq!(authority(&Uri::from_static("http://c/")), "c");
    }
}

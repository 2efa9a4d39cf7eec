//! TLS to collectors: rustls, with aws-lc-rs named as its provider, so that whatever the process
//! has installed is neither needed nor touched.

use super::error::OtlpError;
use crate::settings::{Otlp, Protocol, Tls};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The client's side of TLS to one collector.
#[derive(Clone)]
pub(super) struct Handshake {
    connector: TlsConnector,
    server: ServerName<'static>,
}

/// The configuration holds a key.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Handshake {
    /// Reads the files of `otlp.tls`; `host` is what the collector's certificate has to be for.
    pub(super) fn new(otlp: &Otlp, host: &str) -> Result<Handshake, OtlpError> {
        let server = ServerName::try_from(host.to_owned());
        let server = server.map_err(|_| OtlpError::Host(host.to_owned()))?;
        let mut config = config(&otlp.tls)?;
        config.alpn_protocols = match otlp.protocol {
            Protocol::Grpc => vec![b"h2".to_vec()],
            Protocol::HttpProtobuf | Protocol::HttpJson => vec![b"http/1.1".to_vec()],
        };
        Ok(Handshake {
            connector: Arc::new(config).into(),
            server,
        })
    }

    pub(super) async fn over(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.server.clone(), stream).await
    }
}

fn config(tls: &Tls) -> Result<ClientConfig, OtlpError> {
    let mut roots = RootCertStore::empty();
    match &tls.ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            for certificate in certificates(path)? {
                let added = roots.add(certificate);
                added.map_err(|error| unusable(path, &error))?;
            }
        }
    }
    let verifier = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(Path::new("aws-lc-rs"), &error))?
        .with_root_certificates(roots);
    match (&tls.client_certificate, &tls.client_key) {
        (None, None) => Ok(verifier.with_no_client_auth()),
        (Some(certificate), Some(key)) => verifier
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|error| unusable(key, &error)),
        _ => Err(OtlpError::Unpaired),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, OtlpError> {
    let nothing = || OtlpError::Nothing {
        path: path.to_owned(),
        expected: "certificate",
    };
    let text = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let certificates = certificates.map_err(|_| nothing())?;
    if certificates.is_empty() {
        return Err(nothing());
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, OtlpError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| OtlpError::Nothing {
        path: path.to_owned(),
        expected: "private key",
    })
}

fn read(path: &Path) -> Result<Vec<u8>, OtlpError> {
    std::fs::read(path).map_err(|source| OtlpError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn unusable(path: &Path, error: &rustls::Error) -> OtlpError {
    OtlpError::Unusable {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

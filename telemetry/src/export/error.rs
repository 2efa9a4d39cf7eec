//! Why an OTLP endpoint cannot be used. What a file holds is never part of it: it may be a key.

use std::io;
use std::path::PathBuf;

/// An OTLP endpoint cannot be used as it is set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// The endpoint is not an URL of HTTP.
    #[error("the endpoint must begin with http:// or https://, and name a host")]
    Endpoint,
    /// The endpoint wants TLS, which this build leaves out.
    #[error(
        "an https:// endpoint needs the feature \"tls\" of citywatch-telemetry, which this build \
         leaves out: switch it on, or use http://"
    )]
    NoTls,
    /// The endpoint's host is neither a name nor an address.
    #[error("the endpoint's host {0:?} is no name that a certificate can have")]
    Host(String),
    /// A file of certificates or of a key cannot be read.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file can be read, and what is expected is not in it.
    #[error("{path} holds no {expected} in PEM format", path = .path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
        /// Certificate or private key.
        expected: &'static str,
    },
    /// A certificate or key is in the file but cannot be used.
    #[error("{path} cannot be used: {reason}", path = .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Only one of client certificate and client key is set.
    #[error("a client certificate needs its key, and a key its certificate: set both, or neither")]
    Unpaired,
}

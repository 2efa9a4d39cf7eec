//! What can go wrong between a service and the registry.

use http::StatusCode;

/// Why the registry did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry's address cannot be used; nothing was sent.
    #[error("registry URL is not http(s)://host[:port][/path]")]
    InvalidUrl,
    /// The name is outside the registry's grammar; nothing was sent.
    #[error("name is not 1 to 64 of [a-z0-9._-] with a letter or digit first")]
    InvalidName,
    /// Where others reach this instance cannot be told; nothing was sent.
    #[error(
        "no address for {host}, so that others cannot be told where this instance is: {source}"
    )]
    NoAddress {
        /// Whose address is needed: the host that is advertised, or the registry.
        host: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No connection, or it broke.
    #[error("registry is unreachable")]
    Unreachable(#[source] reqwest_middleware::Error),
    /// Connected, but no answer within the time allowed.
    #[error("registry did not answer in time")]
    Timeout,
    /// The document is not at the expected version (compare-and-set failed).
    #[error("document is not at the expected version")]
    VersionConflict,
    /// The registry answered with a problem.
    #[error("registry refused with {status} {code}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The problem's stable code, or `unknown` if the answer had none.
        code: String,
        /// What the problem says about this request, if it says something.
        detail: Option<String>,
    },
    /// The answer is not what the registry's interface promises.
    #[error("registry answered outside its protocol: {0}")]
    Protocol(String),
}

impl RegistryError {
    /// Whether the registry could not be asked at all, rather than having said no.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Timeout => true,
            Self::Refused { status, .. } => status.is_server_error(),
            Self::InvalidUrl
            | Self::InvalidName
            | Self::NoAddress { .. }
            | Self::VersionConflict
            | Self::Protocol(_) => false,
        }
    }
}

impl From<reqwest_middleware::Error> for RegistryError {
    fn from(error: reqwest_middleware::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else {
            Self::Unreachable(error)
        }
    }
}

impl From<reqwest::Error> for RegistryError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_decode() {
            return Self::Protocol(error.to_string());
        }
        reqwest_middleware::Error::from(error).into()
    }
}

//! The registry's JSON, as a client sees it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::documents::{Document, DocumentSummary};
use crate::endpoint::{Endpoint, ServiceSummary};

#[derive(Debug, Serialize)]
pub(crate) struct Register<'a> {
    pub(crate) service: &'a str,
    pub(crate) instance_id: &'a str,
    pub(crate) address: SocketAddr,
    pub(crate) admin_address: Option<SocketAddr>,
    pub(crate) version: &'a str,
    pub(crate) pid: u32,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Granted {
    pub(crate) ttl_ms: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Instances {
    pub(crate) state: RegistryState,
    pub(crate) instances: Vec<Instance>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RegistryState {
    Ready,
    /// Restarted so lately that instances may be alive and not have said so yet.
    Warming,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Instance {
    #[serde(flatten)]
    pub(crate) endpoint: Endpoint,
    pub(crate) state: InstanceState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InstanceState {
    Up,
    Lapsed,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ServiceList {
    pub(crate) services: Vec<ServiceSummary>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DocumentList {
    pub(crate) documents: Vec<DocumentSummary>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct History {
    pub(crate) versions: Vec<Document>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Problem {
    pub(crate) code: Option<String>,
    pub(crate) detail: Option<String>,
}

/// The registry's grammar of names. A leading dot is outside it, so that a name can be a path
/// segment as it is.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
    };
    (1..=64).contains(&name.len())
        && name.bytes().all(allowed)
        && name.as_bytes()[0].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_as_a_path_segment() {
        let longest = "a".repeat(64);
        for good in ["catalog", "jwks.members", "0", "a-b_c.d", longest.as_str()] {
            assert!(is_name(good), "{good}");
        }
        let too_long = "a".repeat(65);
        for bad in [
            "",
            ".",
            "..",
            "-a",
            "A",
            "a/b",
            "a b",
            "a%2e",
            "é",
            too_long.as_str(),
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}

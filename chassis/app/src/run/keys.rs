//! Whom this service trusts, and how it shows who it is.

use std::sync::Arc;

use discovery::{Credentials, RegistryClient};
use identity::{KeySet, ServiceSigner, SigningKey, Verifier};
use reqwest_middleware::{Middleware, Next};
use telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::{StartError, settings::Common};

/// Key sets that follow the registry's documents, and verifiers that use them.
#[derive(Clone)]
pub(super) struct Trust {
    pub(super) member_keys: KeySet,
    pub(super) members: Verifier,
    pub(super) service_keys: KeySet,
    pub(super) services: Verifier,
}

impl Trust {
    pub(super) fn new(service: &str) -> Self {
        let (member_keys, service_keys) = (KeySet::new(), KeySet::new());
        Self {
            members: Verifier::members(member_keys.clone()),
            services: Verifier::services(service_keys.clone(), service),
            member_keys,
            service_keys,
        }
    }
}

/// The service's own signer, from its key file.
pub(super) fn signer(
    service: &'static str,
    common: &Common,
) -> Result<Option<Arc<ServiceSigner>>, StartError> {
    let path = &common.service_key_file;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let named = |cause: &dyn std::fmt::Display| {
        StartError::new(format!("`service_key_file` {}: {cause}", path.display()))
    };
    let pem = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    let key = SigningKey::from_pem(&pem).map_err(|error| named(&error))?;
    Ok(Some(Arc::new(ServiceSigner::new(service, key))))
}

/// A client of the registry, if the settings name one; its background tasks end with `closed`.
pub(super) fn registry_client(
    telemetry: &Telemetry,
    common: &Common,
    signer: Option<Arc<ServiceSigner>>,
    closed: &CancellationToken,
) -> Option<RegistryClient> {
    if common.registry_url.is_empty() {
        return None;
    }
    let http = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(Housekeeping(telemetry.clone()))
        .with(telemetry.client_middleware())
        .build();
    let credentials = signer.map(Credentials::Service);
    let client = RegistryClient::new(&common.registry_url, http, credentials);
    Some(client.until(closed.clone()))
}

/// Heartbeats and watches are measured, not traced: a trace is a shopper's request.
struct Housekeeping(Telemetry);

#[async_trait::async_trait]
impl Middleware for Housekeeping {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        self.0.untraced(next.run(request, extensions)).await
    }
}

use std::sync::Arc;

use calls::Calls;
use discovery::{Discovery, RegistryClient};
use faults::Faults;
use identity::{KeySet, ServiceSigner, Verifier};
use telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::settings::{Common, Live};

/// What a service is given to start with: its settings and its place in the city.
#[derive(Clone)]
pub struct City<S> {
    /// Its name.
    pub service: &'static str,
    /// Its own settings.
    pub settings: Live<S>,
    /// The settings that every service has.
    pub common: Live<Common>,
    /// Spans, metrics and logs.
    pub telemetry: Telemetry,
    /// Where faults may strike on purpose.
    pub faults: Faults,
    /// Calls to the others.
    pub calls: Calls,
    /// Where the others are.
    pub discovery: Discovery,
    /// The registry, if the settings name one.
    pub registry: Option<RegistryClient>,
    /// Verifies members' tokens.
    pub members: Verifier,
    /// Public keys of the members' tokens; kept current from the registry.
    pub member_keys: KeySet,
    /// Verifies tokens of services that call this one.
    pub services: Verifier,
    /// Public keys of the services; kept current from the registry.
    pub service_keys: KeySet,
    /// Signs tokens for calls to other services, if this one has a key.
    pub signer: Option<Arc<ServiceSigner>>,
    /// Fires when the service is to stop.
    pub stopping: CancellationToken,
    /// This process, among the service's instances: a UUIDv7.
    pub instance_id: String,
}

//! One way to find a service, whatever knows where it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::client::RegistryClient;
use crate::endpoint::{Endpoint, Endpoints};
use crate::lease::{Lease, Registration};
use crate::watch::watch;
use crate::wire::is_name;

/// Finds services by name and lets this one be found. Clones share their watches.
#[derive(Clone, Debug)]
pub struct Discovery {
    backend: Arc<Backend>,
}

#[derive(Debug)]
enum Backend {
    Fixed(BTreeMap<String, Endpoints>),
    Registry {
        client: RegistryClient,
        watched: Mutex<BTreeMap<String, Endpoints>>,
    },
}

impl Discovery {
    /// Everyone is where the map says, for ever; registering does nothing.
    pub fn fixed(services: BTreeMap<String, Vec<Endpoint>>) -> Self {
        let services = services
            .into_iter()
            .map(|(service, list)| (service, Endpoints::fixed(list)));
        Self {
            backend: Arc::new(Backend::Fixed(services.collect())),
        }
    }

    /// Everyone is where the registry says, or last said.
    pub fn registry(client: RegistryClient) -> Self {
        let watched = Mutex::default();
        Self {
            backend: Arc::new(Backend::Registry { client, watched }),
        }
    }

    /// The live list of a service's instances. The first call for a name starts a background
    /// watch, which ends when the client stops, or with the last clone of this `Discovery` and of
    /// the list.
    pub fn watch(&self, service: &str) -> Endpoints {
        match &*self.backend {
            Backend::Fixed(services) => services
                .get(service)
                .cloned()
                .unwrap_or_else(|| Endpoints::fixed(Vec::new())),
            Backend::Registry { .. } if !is_name(service) => Endpoints::fixed(Vec::new()),
            Backend::Registry { client, watched } => watched
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .entry(service.to_owned())
                .or_insert_with(|| watch(client.transport.clone(), service))
                .clone(),
        }
    }

    /// Lets this instance be found, for as long as the lease is held. Returns at once: the registry
    /// is asked in the background until it says yes ([`Lease::registered`] waits for that).
    pub async fn register(&self, registration: Registration) -> Lease {
        match &*self.backend {
            Backend::Fixed(_) => Lease::nobodys(),
            Backend::Registry { client, .. } => Lease::take(client.transport.clone(), registration),
        }
    }
}

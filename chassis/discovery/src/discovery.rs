//! One way to find a service, whatever knows where it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch::{Receiver, Sender};

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
        lists: Mutex<Lists>,
        /// Counts the changes of every list.
        revision: Sender<u64>,
    },
}

#[derive(Debug, Default)]
struct Lists {
    watched: BTreeMap<String, Watched>,
    /// What an earlier process knew of services that nobody has asked for yet.
    restored: BTreeMap<String, Vec<Endpoint>>,
}

#[derive(Debug)]
struct Watched {
    endpoints: Endpoints,
    /// Whether the registry has told of it yet.
    synced: Receiver<bool>,
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
        Self {
            backend: Arc::new(Backend::Registry {
                client,
                lists: Mutex::default(),
                revision: Sender::new(0),
            }),
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
            Backend::Registry {
                client,
                lists,
                revision,
            } => {
                let mut lists = lists.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(watched) = lists.watched.get(service) {
                    return watched.endpoints.clone();
                }
                let known = lists.restored.remove(service).unwrap_or_default();
                let (endpoints, synced) =
                    watch(client.transport.clone(), service, known, revision.clone());
                let watched = Watched {
                    endpoints: endpoints.clone(),
                    synced,
                };
                lists.watched.insert(service.to_owned(), watched);
                endpoints
            }
        }
    }

    /// Returns once the registry has told of every service that is watched by now, be it that
    /// nobody is there: until then a list is empty, or what was known before. At once if it is fixed
    /// or if the client has stopped.
    pub async fn synced(&self) {
        let Backend::Registry { lists, .. } = &*self.backend else {
            return;
        };
        let told: Vec<_> = {
            let lists = lists.lock().unwrap_or_else(PoisonError::into_inner);
            let watched = lists.watched.values();
            watched.map(|watched| watched.synced.clone()).collect()
        };
        for mut told in told {
            // A watch that has ended tells nothing more.
            let _ = told.wait_for(|told| *told).await;
        }
    }

    /// Where everyone was last known to be, by service, to be kept for the next process. Empty if
    /// it is fixed: the next process will be told as this one was.
    pub fn snapshot(&self) -> BTreeMap<String, Vec<Endpoint>> {
        let Backend::Registry { lists, .. } = &*self.backend else {
            return BTreeMap::new();
        };
        let lists = lists.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = lists.restored.clone();
        for (service, watched) in &lists.watched {
            known.insert(service.clone(), watched.endpoints.load().to_vec());
        }
        known.retain(|_, list| !list.is_empty());
        known
    }

    /// Takes over an earlier process's knowledge: a watch starts from it, and the registry's word
    /// replaces it. Before the first watch; lists that are watched already stay as they are.
    pub fn restore(&self, known: BTreeMap<String, Vec<Endpoint>>) {
        if let Backend::Registry { lists, .. } = &*self.backend {
            let mut lists = lists.lock().unwrap_or_else(PoisonError::into_inner);
            for (service, list) in known {
                if !lists.watched.contains_key(&service) {
                    lists.restored.insert(service, list);
                }
            }
        }
    }

    /// Changes with every list that changes: when to keep a snapshot. Closed if nothing can.
    pub fn changes(&self) -> Receiver<u64> {
        match &*self.backend {
            Backend::Fixed(_) => Sender::new(0).subscribe(),
            Backend::Registry { revision, .. } => revision.subscribe(),
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

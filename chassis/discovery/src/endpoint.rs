//! Where an instance listens, and the list of them that a caller reads.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// One running instance of a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The instance's id, new with every start (`service.instance.id`).
    pub instance_id: String,
    /// Where it takes requests.
    pub address: SocketAddr,
    /// Where it answers `/livez`, `/readyz` and `/metrics`, if it does.
    pub admin_address: Option<SocketAddr>,
    /// The version that it runs.
    pub version: String,
}

/// A service that the registry knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSummary {
    /// Its name.
    pub service: String,
    /// How many of its instances are up.
    pub instances: usize,
}

/// The live list of a service's instances. Clones share it; reading it is a pointer load.
#[derive(Clone, Debug)]
pub struct Endpoints {
    list: Arc<ArcSwap<Vec<Endpoint>>>,
    revision: watch::Receiver<u64>,
}

impl Endpoints {
    /// A list that never changes.
    pub fn fixed(list: Vec<Endpoint>) -> Self {
        EndpointsWriter::new(list).1
    }

    /// The list as it is now.
    pub fn load(&self) -> Guard<Arc<Vec<Endpoint>>> {
        self.list.load()
    }

    /// Returns when the list was replaced since the last call (or since this clone was made).
    /// Never returns for a list that can no longer change.
    pub async fn changed(&mut self) {
        if self.revision.changed().await.is_err() {
            pending::<()>().await;
        }
    }

    /// Returns the list once it holds an instance: at once if it does already.
    pub async fn available(&mut self) -> Arc<Vec<Endpoint>> {
        loop {
            self.revision.mark_unchanged();
            let list = self.list.load_full();
            if !list.is_empty() {
                return list;
            }
            self.changed().await;
        }
    }
}

/// The side that replaces the list.
#[derive(Debug)]
pub(crate) struct EndpointsWriter {
    list: Arc<ArcSwap<Vec<Endpoint>>>,
    revision: watch::Sender<u64>,
}

impl EndpointsWriter {
    pub(crate) fn new(list: Vec<Endpoint>) -> (Self, Endpoints) {
        let list = Arc::new(ArcSwap::from_pointee(list));
        let (revision, seen) = watch::channel(0);
        (
            Self {
                list: list.clone(),
                revision,
            },
            Endpoints {
                list,
                revision: seen,
            },
        )
    }

    pub(crate) fn list(&self) -> Arc<Vec<Endpoint>> {
        self.list.load_full()
    }

    /// Replaces the list; readers are told only if it differs. Returns whether it did.
    pub(crate) fn set(&self, list: Vec<Endpoint>) -> bool {
        if **self.list.load() == list {
            return false;
        }
        self.list.store(Arc::new(list));
        self.revision.send_modify(|revision| *revision += 1);
        true
    }

    /// Returns when nobody reads the list any more.
    pub(crate) async fn unread(&self) {
        self.revision.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(id: &str) -> Endpoint {
        Endpoint {
            instance_id: id.to_owned(),
            address: ([127, 0, 0, 1], 9000).into(),
            admin_address: None,
            version: "0.1.0".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_reader_is_woken_by_a_new_list_and_not_by_the_same_one() {
        let (writer, mut endpoints) = EndpointsWriter::new(Vec::new());
        writer.set(vec![endpoint("a")]);
        endpoints.changed().await;
        assert_eq!(endpoints.load()[0].instance_id, "a");

        assert!(!writer.set(vec![endpoint("a")]));
        assert!(!endpoints.revision.has_changed().unwrap());
    }

    #[tokio::test]
    async fn available_waits_for_the_first_instance() {
        let (writer, mut endpoints) = EndpointsWriter::new(Vec::new());
        let waiting = tokio::spawn(async move { endpoints.available().await.len() });
        tokio::task::yield_now().await;
        writer.set(vec![endpoint("a"), endpoint("b")]);
        assert_eq!(waiting.await.unwrap(), 2);
    }

    #[test]
    fn a_fixed_list_is_read_without_a_writer() {
        assert_eq!(Endpoints::fixed(vec![endpoint("a")]).load().len(), 1);
    }
}

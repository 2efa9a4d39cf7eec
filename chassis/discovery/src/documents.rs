//! Configuration documents: what is known of them, kept for as long as the process runs and
//! handed out for keeping longer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::error::RegistryError;
use crate::follow::{Listener, follow};
use crate::sse::Event;
use crate::transport::Transport;

/// A configuration document at one of its versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Its name: a service's, `city`, or `jwks.…`.
    pub name: String,
    /// 1 for the first, one more with every change.
    pub version: u64,
    /// When this version was written (RFC 3339, UTC).
    pub updated_at: String,
    /// Who wrote this version: `operator`, a service's name, or a member's id.
    pub updated_by: String,
    /// The document itself: a JSON object.
    pub value: Value,
}

/// A document without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentSummary {
    /// Its name.
    pub name: String,
    /// Its current version.
    pub version: u64,
    /// When this version was written (RFC 3339, UTC).
    pub updated_at: String,
    /// Who wrote this version.
    pub updated_by: String,
}

/// What a write expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever is there, or nothing.
    Any,
    /// No such document yet.
    Absent,
    /// This version, and no other.
    Version(u64),
}

/// Last known documents, to be written to a file and read at the next start, so that a service
/// started while the registry is away still knows the keys that tokens are verified with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// In order of name.
    pub documents: Vec<Document>,
}

/// The last known good state of every document that was watched or fetched. Clones share it.
#[derive(Clone, Debug)]
pub struct Documents {
    known: Arc<Mutex<BTreeMap<String, Known>>>,
    revision: watch::Sender<u64>,
}

#[derive(Debug)]
struct Known {
    document: watch::Sender<Option<Document>>,
    /// A task follows the document.
    followed: bool,
}

impl Default for Documents {
    fn default() -> Self {
        Self {
            known: Arc::default(),
            revision: watch::Sender::new(0),
        }
    }
}

impl Documents {
    /// What is known of `name` now.
    pub fn known(&self, name: &str) -> Option<Document> {
        self.lock().get(name)?.document.borrow().clone()
    }

    /// Changes with every document that becomes known or changes: when to write a snapshot.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Everything known now.
    pub fn snapshot(&self) -> Snapshot {
        let known = self.lock();
        let documents = known
            .values()
            .filter_map(|known| known.document.borrow().clone());
        Snapshot {
            documents: documents.collect(),
        }
    }

    /// Takes over an earlier process's knowledge; what is known already is newer and stays.
    pub fn restore(&self, snapshot: Snapshot) {
        for document in snapshot.documents {
            if self.known(&document.name).is_none() {
                self.learn(document);
            }
        }
    }

    /// The registry is right about what it says, even where the version went back (its store was
    /// replaced). That it knows nothing is no reason to forget: see [`DocumentListener`].
    pub(crate) fn learn(&self, document: Document) {
        let mut known = self.lock();
        let entry = known.entry(document.name.clone()).or_default();
        let news = entry.document.send_if_modified(|current| {
            let news = current.as_ref() != Some(&document);
            if news {
                *current = Some(document);
            }
            news
        });
        drop(known);
        if news {
            self.revision.send_modify(|revision| *revision += 1);
        }
    }

    /// A receiver of `name`, followed by a background task from the first to the last of them.
    pub(crate) fn watch(
        &self,
        transport: &Arc<Transport>,
        name: &str,
    ) -> watch::Receiver<Option<Document>> {
        let mut known = self.lock();
        let entry = known.entry(name.to_owned()).or_default();
        let receiver = entry.document.subscribe();
        if !entry.followed && !transport.stopping.is_cancelled() {
            entry.followed = true;
            let (documents, transport) = (self.clone(), transport.clone());
            let (name, document) = (name.to_owned(), entry.document.clone());
            tokio::spawn(async move { documents.follow(transport, &name, &document).await });
        }
        receiver
    }

    async fn follow(
        self,
        transport: Arc<Transport>,
        name: &str,
        document: &watch::Sender<Option<Document>>,
    ) {
        loop {
            let path = format!("/v1/documents/{name}/watch");
            let listener = DocumentListener {
                documents: self.clone(),
                name: name.to_owned(),
            };
            let stopped = tokio::select! {
                () = follow(transport.clone(), path, listener) => true,
                () = document.closed() => false,
            };
            // Under the lock that `watch` subscribes under: no receiver is left without a task.
            let mut known = self.lock();
            if stopped || document.receiver_count() == 0 {
                if let Some(entry) = known.get_mut(name) {
                    entry.followed = false;
                }
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Known {
    fn default() -> Self {
        Self {
            document: watch::Sender::new(None),
            followed: false,
        }
    }
}

struct DocumentListener {
    documents: Documents,
    name: String,
}

impl Listener for DocumentListener {
    fn event(&mut self, event: &Event) -> Result<(), RegistryError> {
        if event.name != "document" {
            return Ok(());
        }
        let document: Option<Document> = serde_json::from_str(&event.data)
            .map_err(|error| RegistryError::Protocol(error.to_string()))?;
        match document {
            Some(document) if document.name == self.name => self.documents.learn(document),
            Some(_) => {
                return Err(RegistryError::Protocol(
                    "another document's event".to_owned(),
                ));
            }
            // Documents are never deleted: whoever had one and now has none has lost its store.
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(name: &str, version: u64) -> Document {
        Document {
            name: name.to_owned(),
            version,
            updated_at: "2026-11-21T00:00:00Z".to_owned(),
            updated_by: "operator".to_owned(),
            value: json!({ "version": version }),
        }
    }

    #[test]
    fn a_snapshot_survives_the_process_and_never_beats_what_is_known() {
        let before = Documents::default();
        before.learn(document("jwks.members", 3));
        before.learn(document("city", 1));
        let file = serde_json::to_string(&before.snapshot()).unwrap();

        let after = Documents::default();
        after.learn(document("city", 2));
        after.restore(serde_json::from_str(&file).unwrap());
        assert_eq!(
            after.known("jwks.members"),
            Some(document("jwks.members", 3))
        );
        assert_eq!(after.known("city"), Some(document("city", 2)));
    }

    #[test]
    fn only_news_is_news() {
        let documents = Documents::default();
        let changes = documents.changes();
        documents.learn(document("city", 1));
        documents.learn(document("city", 1));
        assert_eq!(*changes.borrow(), 1);
        documents.learn(document("city", 2));
        assert_eq!(*changes.borrow(), 2);
    }

    #[test]
    fn a_registry_that_lost_its_store_is_believed_only_in_what_it_has() {
        let documents = Documents::default();
        documents.learn(document("city", 7));
        let mut listener = DocumentListener {
            documents: documents.clone(),
            name: "city".to_owned(),
        };
        let event = |data: String| Event {
            name: "document".to_owned(),
            data,
        };
        listener.event(&event("null".to_owned())).unwrap();
        assert_eq!(documents.known("city"), Some(document("city", 7)));
        listener
            .event(&event(json!(document("city", 1)).to_string()))
            .unwrap();
        assert_eq!(documents.known("city"), Some(document("city", 1)));
        assert!(
            listener
                .event(&event(json!(document("other", 1)).to_string()))
                .is_err()
        );
    }
}

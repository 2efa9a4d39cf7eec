//! Configuration at work: the store behind, every document in force in memory, and a bell that
//! rings when one changed.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use app::Live;
use identity::{Jwks, KeySet};
use serde_json::Value;
use stores::sql::StoreError;
use tokio::sync::watch;

use crate::domain::{
    Document, Expect, InvalidDocument, MEMBER_KEYS, Name, SERVICE_KEYS, Timestamp, check_value,
};
use crate::service::Settings;
use crate::store::{Draft, PutError, Store, Written};

#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Invalid(#[from] InvalidDocument),
    #[error(transparent)]
    Put(#[from] PutError),
}

/// The key sets that this registry itself verifies with. Others follow the documents; it has them.
pub(crate) struct Keys {
    pub(crate) members: KeySet,
    pub(crate) services: KeySet,
}

pub(crate) struct Documents {
    store: Store,
    settings: Live<Settings>,
    keys: Keys,
    in_force: RwLock<BTreeMap<Name, Arc<Document>>>,
    /// Counts changes. A watcher that is slow misses versions, never the newest.
    changes: watch::Sender<u64>,
}

impl Documents {
    pub(crate) async fn open(
        store: Store,
        keys: Keys,
        settings: Live<Settings>,
    ) -> Result<Self, StoreError> {
        let current = store.current().await?;
        let documents = Self {
            store,
            settings,
            keys,
            in_force: RwLock::default(),
            changes: watch::Sender::new(0),
        };
        for document in current {
            documents.comes_into_force(&Arc::new(document));
        }
        Ok(documents)
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    pub(crate) fn get(&self, name: &Name) -> Option<Arc<Document>> {
        self.in_force
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    pub(crate) fn list(&self) -> Vec<Arc<Document>> {
        self.in_force
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    /// The kept versions, newest first; empty if there never was such a document.
    pub(crate) async fn history(&self, name: &Name) -> Result<Vec<Document>, StoreError> {
        self.store.history(name).await
    }

    pub(crate) async fn put(
        &self,
        name: Name,
        value: Value,
        expect: Expect,
        author: String,
    ) -> Result<Written<Arc<Document>>, WriteError> {
        let json = check_value(&name, &value)?;
        let draft = Draft {
            name,
            value,
            json,
            author,
            now: Timestamp::from(SystemTime::now()),
        };
        let history = self.settings.load().document_history;
        let written = self.store.put(draft, expect, history).await?;
        let document = Arc::new(written.document);
        self.comes_into_force(&document);
        Ok(Written {
            document,
            is_first: written.is_first,
        })
    }

    /// Rings with every change of any document.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn comes_into_force(&self, document: &Arc<Document>) {
        let mut in_force = self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // Two writers may come here in another order than they committed in.
        if in_force
            .get(&document.name)
            .is_some_and(|known| known.version >= document.version)
        {
            return;
        }
        let keys = match document.name.as_str() {
            MEMBER_KEYS => Some(&self.keys.members),
            SERVICE_KEYS => Some(&self.keys.services),
            _ => None,
        };
        if let Some(keys) = keys {
            match serde_json::from_value::<Jwks>(document.value.clone()) {
                Ok(jwks) => {
                    keys.replace(jwks);
                }
                Err(error) => {
                    tracing::error!(document = %document.name, %error, "keys cannot be read");
                }
            }
        }
        in_force.insert(document.name.clone(), document.clone());
        self.changes.send_modify(|changes| *changes += 1);
    }
}

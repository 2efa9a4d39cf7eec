//! The registry's interface as methods.

use std::sync::Arc;

use http::header::{HeaderValue, IF_MATCH, IF_NONE_MATCH};
use http::{Method, StatusCode};
use reqwest_middleware::ClientWithMiddleware;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::documents::{Document, DocumentSummary, Documents, Expect};
use crate::endpoint::{Endpoint, ServiceSummary};
use crate::error::RegistryError;
use crate::transport::{Call, Credentials, Transport};
use crate::wire::{
    DocumentList, History, Instance, InstanceState, Instances, ServiceList, is_name,
};

/// A registry, as one caller reaches it. Clones share what is known of documents.
///
/// Every call fails within two seconds; only what runs in the background (watches, leases) is
/// tried again.
#[derive(Clone, Debug)]
pub struct RegistryClient {
    pub(crate) transport: Arc<Transport>,
    documents: Documents,
}

impl RegistryClient {
    /// A client of the registry at `base_url` (`http://127.0.0.1:8500`). If that is no URL, every
    /// call fails with [`RegistryError::InvalidUrl`], and it is logged once.
    pub fn new(
        base_url: &str,
        http: ClientWithMiddleware,
        credentials: Option<Credentials>,
    ) -> Self {
        let transport = Transport::new(base_url, http, credentials, CancellationToken::new());
        Self {
            transport: Arc::new(transport),
            documents: Documents::default(),
        }
    }

    /// Ends every background task of this client, and of what is made from it, when `stopping`
    /// fires. To be said before the first watch.
    #[must_use]
    pub fn until(self, stopping: CancellationToken) -> Self {
        let transport = Arc::new(self.transport.until(stopping));
        Self {
            transport,
            documents: self.documents,
        }
    }

    /// What is known of documents without asking.
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// The document as the registry has it now, or `None` if it has none of that name.
    pub async fn get(&self, name: &str) -> Result<Option<Document>, RegistryError> {
        let path = document_path(name)?;
        match self.transport.fetch(Call::new(Method::GET, &path)).await {
            Ok(document) => Ok(Some(document)),
            Err(RegistryError::Refused {
                status: StatusCode::NOT_FOUND,
                code,
                ..
            }) if code == "unknown_document" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a new version of a document, if what is there is what the caller expects
    /// ([`RegistryError::VersionConflict`] if not). Returns what was written.
    pub async fn put(
        &self,
        name: &str,
        value: &Value,
        expect: Expect,
    ) -> Result<Document, RegistryError> {
        let path = document_path(name)?;
        let mut call = Call::new(Method::PUT, &path).json(value)?;
        call = match expect {
            Expect::Any => call,
            Expect::Absent => call.header(IF_NONE_MATCH, HeaderValue::from_static("*")),
            Expect::Version(version) => {
                let tag = HeaderValue::try_from(format!("\"{version}\""))
                    .map_err(|error| RegistryError::Protocol(error.to_string()))?;
                call.header(IF_MATCH, tag)
            }
        };
        self.transport.fetch(call).await
    }

    /// Every document's name and version.
    pub async fn list(&self) -> Result<Vec<DocumentSummary>, RegistryError> {
        let list: DocumentList = self
            .transport
            .fetch(Call::new(Method::GET, "/v1/documents"))
            .await?;
        Ok(list.documents)
    }

    /// The versions of a document that the registry has kept, newest first.
    pub async fn history(&self, name: &str) -> Result<Vec<Document>, RegistryError> {
        let path = format!("{}/history", document_path(name)?);
        let history: History = self.transport.fetch(Call::new(Method::GET, &path)).await?;
        Ok(history.versions)
    }

    /// Every service that has registered since the registry started, with the number of its
    /// instances that are up: zero if all of them have left or fallen silent.
    pub async fn services(&self) -> Result<Vec<ServiceSummary>, RegistryError> {
        let list: ServiceList = self
            .transport
            .fetch(Call::new(Method::GET, "/v1/services"))
            .await?;
        Ok(list.services)
    }

    /// The instances of a service that are up, asked for now: for a caller that asks once. Whoever
    /// calls a service again and again watches it ([`Discovery::watch`](crate::Discovery::watch)).
    pub async fn instances(&self, service: &str) -> Result<Vec<Endpoint>, RegistryError> {
        if !is_name(service) {
            return Err(RegistryError::InvalidName);
        }
        let path = format!("/v1/services/{service}");
        let list: Instances = self.transport.fetch(Call::new(Method::GET, &path)).await?;
        let up = |instance: &Instance| instance.state == InstanceState::Up;
        let up = list.instances.into_iter().filter(up);
        Ok(up.map(|instance| instance.endpoint).collect())
    }

    /// The document as it is and as it changes: `None` until it is known, and never `None` again.
    ///
    /// The first receiver starts a background task, which ends when the last receiver is dropped
    /// or the client stops.
    pub fn watch_document(&self, name: &str) -> watch::Receiver<Option<Document>> {
        self.documents.watch(&self.transport, name)
    }

    /// Asks for the document now, for a caller who has reason to think that what is known is
    /// outdated (a token names an unknown key). Watchers see what comes back.
    pub async fn refetch(&self, name: &str) -> Result<Option<Document>, RegistryError> {
        let document = self.get(name).await?;
        if let Some(document) = &document {
            self.documents.learn(document.clone());
        }
        Ok(document)
    }
}

fn document_path(name: &str) -> Result<String, RegistryError> {
    if is_name(name) {
        Ok(format!("/v1/documents/{name}"))
    } else {
        Err(RegistryError::InvalidName)
    }
}

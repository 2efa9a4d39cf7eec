//! Hands the public keys to the registry, from where everybody else has them.

use std::sync::Arc;
use std::time::Duration;

use app::with_causes;
use discovery::{Document, Expect, RegistryClient, RegistryError};
use identity::Jwks;
use tokio_util::sync::CancellationToken;

use crate::domain::Timestamp;
use crate::error::Error;
use crate::keys::Keys;

const DOCUMENT: &str = "jwks.members";

/// A registry that has lost its store tells nobody; so it is asked now and then.
const CHECK: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// Two cities that share a registry by mistake overwrite each other; this bounds how fast.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Keys(#[from] Error),
}

/// Publishes before the first token is handed out, if the registry is there; if it is not, what
/// others know from before serves them, and [`keep_published`] goes on trying.
pub(crate) async fn first(keys: &Keys, registry: &RegistryClient) {
    if let Err(error) = publish(keys, registry).await {
        tracing::warn!(
            error = with_causes(&error),
            "public keys are not published yet; trying on"
        );
    }
}

/// Keeps the document `jwks.members` equal to the keys, until `stopping` fires.
pub(crate) async fn keep_published(
    keys: Arc<Keys>,
    registry: RegistryClient,
    stopping: CancellationToken,
) {
    let following = async {
        let mut changes = keys.changes();
        let mut document = registry.watch_document(DOCUMENT);
        let mut retry = FIRST_RETRY;
        loop {
            let next_look = match publish(&keys, &registry).await {
                Ok(()) => {
                    retry = FIRST_RETRY;
                    tokio::time::sleep(PAUSE).await;
                    CHECK
                }
                Err(error) => {
                    // Once an outage: the registry's client says when it is back.
                    if retry == FIRST_RETRY {
                        tracing::warn!(
                            error = with_causes(&error),
                            "cannot see that the public keys are published; trying on"
                        );
                    }
                    let pause = retry;
                    retry = (retry * 2).min(LAST_RETRY);
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(next_look) => {}
                Ok(()) = changes.changed() => {}
                Ok(()) = document.changed() => {}
            }
        }
    };
    tokio::select! {
        () = stopping.cancelled() => {}
        () = following => {}
    }
}

/// One comparison of the document with the keys, and a write if they differ.
async fn publish(keys: &Keys, registry: &RegistryClient) -> Result<(), PublishError> {
    let document = registry.get(DOCUMENT).await?;
    let listed = document.as_ref().and_then(listed);
    if listed.as_ref() != Some(&keys.public()) {
        // The document may be right and this replica behind: it must not undo another's rotation.
        keys.look_around(Timestamp::now()).await?;
    }
    let wanted = keys.public();
    if listed.as_ref() != Some(&wanted) {
        let expect = document.map_or(Expect::Absent, |document| Expect::Version(document.version));
        let written = registry
            .put(DOCUMENT, &serde_json::json!(wanted), expect)
            .await?;
        tracing::info!(
            version = written.version,
            keys = wanted.keys.len(),
            "public keys published"
        );
    }
    keys.saw_published(&wanted);
    Ok(())
}

fn listed(document: &Document) -> Option<Jwks> {
    serde_json::from_value(document.value.clone()).ok()
}

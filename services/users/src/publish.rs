//! Hands the public keys to the registry, from where everybody else has them.

use std::sync::Arc;
use std::time::Duration;

use discovery::{Expect, RegistryClient, RegistryError};
use identity::Jwks;
use tokio_util::sync::CancellationToken;

use crate::domain::Timestamp;
use crate::error::with_causes;
use crate::keys::Keys;

const DOCUMENT: &str = "jwks.members";

/// A registry that has lost its store tells nobody; so it is asked now and then.
const CHECK: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// Keeps the document `jwks.members` equal to the keys, until `stopping` fires.
pub(crate) async fn keep_published(
    keys: Arc<Keys>,
    registry: RegistryClient,
    stopping: CancellationToken,
) {
    let mut changes = keys.changes();
    let mut document = registry.watch_document(DOCUMENT);
    let mut retry = FIRST_RETRY;
    loop {
        let pause = match publish(&keys, &registry).await {
            Ok(()) => {
                retry = FIRST_RETRY;
                CHECK
            }
            Err(error) => {
                tracing::warn!(
                    error = with_causes(&error),
                    "public keys are not published yet"
                );
                let pause = retry;
                retry = (retry * 2).min(LAST_RETRY);
                pause
            }
        };
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            Ok(()) = changes.changed() => {}
            Ok(()) = document.changed() => {}
        }
    }
}

/// One comparison of the document with the keys, and a write if they differ.
async fn publish(keys: &Keys, registry: &RegistryClient) -> Result<(), RegistryError> {
    let document = registry.get(DOCUMENT).await?;
    let listed = |wanted: &Jwks| {
        let document = document.as_ref()?;
        let listed = serde_json::from_value::<Jwks>(document.value.clone()).ok()?;
        (listed == *wanted).then_some(listed)
    };
    if let Some(listed) = listed(&keys.public()) {
        keys.saw_published(&listed);
        return Ok(());
    }
    // The document may be right and this replica behind: it must not undo another's rotation.
    if let Err(error) = keys.look_around(Timestamp::now()).await {
        return Err(RegistryError::Protocol(with_causes(&error)));
    }
    let wanted = keys.public();
    if let Some(listed) = listed(&wanted) {
        keys.saw_published(&listed);
        return Ok(());
    }
    let expect = document.map_or(Expect::Absent, |document| Expect::Version(document.version));
    let written = registry
        .put(DOCUMENT, &serde_json::json!(wanted), expect)
        .await?;
    keys.saw_published(&wanted);
    tracing::info!(
        version = written.version,
        keys = wanted.keys.len(),
        "public keys published"
    );
    Ok(())
}

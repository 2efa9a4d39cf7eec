//! Staying on an event stream for as long as anyone cares.

use std::sync::Arc;

use tokio::time::sleep;
use tracing::debug;

use crate::backoff::Backoff;
use crate::error::RegistryError;
use crate::sse::Event;
use crate::transport::Transport;

/// Who listens to a stream.
pub(crate) trait Listener: Send {
    /// A stream was opened: what it sends first is the whole state.
    fn connected(&mut self) {}
    /// An event came.
    fn event(&mut self, event: &Event) -> Result<(), RegistryError>;
}

/// Feeds `listener` from the stream at `path`, opening it again whenever it ends or breaks, until
/// the client stops. Whoever wants to end it earlier drops the future.
pub(crate) async fn follow(transport: Arc<Transport>, path: String, mut listener: impl Listener) {
    let stopping = transport.stopping.clone();
    let endless = async {
        let mut backoff = Backoff::registry();
        loop {
            if let Err(error) = listen(&transport, &path, &mut listener, &mut backoff).await {
                transport.note(&error);
                debug!(
                    path,
                    error = &error as &dyn std::error::Error,
                    "watch broke"
                );
            }
            sleep(backoff.next()).await;
        }
    };
    stopping.run_until_cancelled(endless).await;
}

async fn listen(
    transport: &Transport,
    path: &str,
    listener: &mut impl Listener,
    backoff: &mut Backoff,
) -> Result<(), RegistryError> {
    let mut stream = transport.events(path).await?;
    listener.connected();
    while let Some(event) = stream.next().await? {
        listener.event(&event)?;
        // Only an event that was understood: a registry that accepts and says nothing, or talks
        // nonsense, is asked ever more seldom.
        backoff.reset();
    }
    Ok(())
}

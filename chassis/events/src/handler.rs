//! What a service does with the events of another.

use std::future::Future;

use stores::sql::{StoreError, Transaction};

use crate::Event;

/// Why an event was not handled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing is wrong with the event: the consumer waits and takes it again, and those behind it
    /// wait as well.
    #[error("{0}")]
    Later(String),
    /// It is the event: it is put aside with its subject, and the others go on.
    #[error("{0}")]
    Event(String),
}

/// A violated constraint is about what the event says; for all else the store is to blame.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let why = app::with_causes(&error);
        match error.constraint() {
            Some(_) => Self::Event(why),
            None => Self::Later(why),
        }
    }
}

/// Handles the events of one feed. Its effect, the cursor and the commit are one transaction, so
/// that every event has its effect once, whatever breaks.
pub trait Handler: Send + Sync + 'static {
    /// The types that it takes, such as `orders.OrderConfirmed.v1`; others are passed over.
    const TYPES: &'static [&'static str];

    /// What the event does, by `tx` alone: it may be undone, and done again.
    fn handle(
        &self,
        event: &Event,
        tx: &mut Transaction,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether [`handle_all`](Self::handle_all) costs less than each event by itself.
    const IN_BULK: bool = false;

    /// What several events do, one after the other, where a feed is far behind: after an outage, or
    /// in a rebuild. They are in their order, and of [`TYPES`](Self::TYPES). If they fail together,
    /// each is handled by itself.
    ///
    /// Statements in it belong to no event's trace.
    fn handle_all(
        &self,
        events: &[&Event],
        tx: &mut Transaction,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async move {
            for event in events {
                self.handle(event, tx).await?;
            }
            Ok(())
        }
    }

    /// For a rebuild: empties what was built from this producer's events, in the transaction that
    /// sets the cursor back to the beginning.
    fn reset(&self, tx: &mut Transaction) -> impl Future<Output = Result<(), Failure>> + Send {
        let _ = tx;
        async { Err(Failure::Event(NOT_REBUILDABLE.to_owned())) }
    }
}

/// Why a handler that does not say how does not begin anew.
pub(crate) const NOT_REBUILDABLE: &str = "what this handler does cannot be built anew";

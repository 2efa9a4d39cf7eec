//! What a service publishes, and what its own replicas read of it.

mod error;

pub use error::{PublishError, ReadError};

use std::sync::Arc;
use std::time::Duration;

use app::Timestamp;
use stores::sql::{Sql, StoreError, Transaction};
use telemetry::Telemetry;
use telemetry::context::traceparent;
use telemetry::messaging::Destination;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::metrics::Metrics;
use crate::store::{MIGRATION_TABLE, MIGRATIONS, NewEvent, Store};
use crate::{Batch, Body, Event, OpenError, Position};

/// Largest body of an event, in bytes of JSON: an event tells what happened, not all about it.
const MAX_BODY: usize = 64 * 1024;

/// Publishes events in the transaction of the change that they tell of. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    destination: Destination,
    metrics: Metrics,
    /// Something was committed here.
    committed: Arc<Notify>,
    /// The newest position that this process knows.
    head: watch::Sender<i64>,
    stopping: CancellationToken,
}

impl Outbox {
    /// The outbox in a service's store, whose tables are made or brought up to date. Services have
    /// theirs from [`Events::outbox`](crate::Events::outbox); one that is opened by itself, as for
    /// a test of a store alone, is written to but never gives positions.
    ///
    /// # Errors
    /// The tables cannot be made, or it was opened before in this process of the service.
    pub async fn open(
        telemetry: &Telemetry,
        sql: &Sql,
        service: &'static str,
        stopping: &CancellationToken,
    ) -> Result<Self, OpenError> {
        sql.add_part(MIGRATION_TABLE, &MIGRATIONS).await?;
        let store = Store::new(sql.clone(), service);
        let head = store.head().await?.position;
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                destination: telemetry.messaging("citywatch").destination(service),
                metrics: Metrics::register(telemetry.registry())?,
                committed: Arc::new(Notify::new()),
                head: watch::Sender::new(head),
                stopping: stopping.clone(),
            }),
        })
    }

    /// Writes an event down, in the transaction of the change that it tells of: it is there if and
    /// only if the change is. Events of one subject are handled in the order in which they were
    /// published.
    ///
    /// It makes a producer's span, a child of what is current; the span's context travels with the
    /// event, to whoever handles it.
    ///
    /// # Errors
    /// The body is not JSON or larger than 64 KiB, or the store failed; the transaction is then
    /// not to be committed.
    pub async fn publish<B: Body>(
        &self,
        tx: &mut Transaction,
        subject: &str,
        body: &B,
    ) -> Result<(), PublishError> {
        let inner = &self.inner;
        inner.metrics.born(B::TYPE);
        let data = serde_json::to_string(body)?;
        if data.len() > MAX_BODY {
            return Err(PublishError::TooLarge(data.len()));
        }
        let id = Uuid::now_v7().to_string();
        let span = inner.destination.send("publish");
        let span = span.message_id(&id).body_size(data.len() as u64);
        let mut span = span.start();
        span.span_mut()
            .set_attribute("citywatch.event.type", B::TYPE);
        let context = span.span().context();
        let event = NewEvent {
            id: &id,
            subject,
            kind: B::TYPE,
            time: Timestamp::now(),
            data,
            traceparent: context
                .is_valid()
                .then(|| String::from_utf8_lossy(&traceparent(&context)).into_owned()),
            tracestate: context.tracestate.as_str().map(str::to_owned),
        };
        if let Err(error) = inner.store.insert(tx, event).await {
            span.fail("store");
            return Err(error.into());
        }
        span.finish();
        let (metrics, committed) = (inner.metrics.clone(), Arc::clone(&inner.committed));
        tx.on_commit(move || {
            metrics.published(B::TYPE);
            committed.notify_one();
        });
        Ok(())
    }

    /// What was published in this store behind `after`, `limit` events at most; for replicas of
    /// this service, each of which keeps a position of its own. Where there is nothing yet, it
    /// waits for as long as `wait`; then, and when the service stops, the batch is empty.
    ///
    /// # Errors
    /// [`ReadError::Truncated`] where events behind `after` are no longer kept.
    pub async fn read(
        &self,
        after: Position,
        limit: usize,
        wait: Duration,
    ) -> Result<Batch, ReadError> {
        let until = tokio::time::Instant::now() + wait;
        let mut head = self.inner.head.subscribe();
        loop {
            // Looked at before the rows: what gets its position meanwhile is news.
            let known = (*head.borrow_and_update()).max(after.number());
            let batch = self.read_now(after, limit).await?;
            if !batch.events.is_empty() {
                return Ok(batch);
            }
            let news = tokio::time::timeout_at(until, head.wait_for(|head| *head > known));
            match self.inner.stopping.run_until_cancelled(news).await {
                Some(Ok(Ok(_))) => {}
                Some(_) | None => return Ok(batch),
            }
        }
    }

    async fn read_now(&self, after: Position, limit: usize) -> Result<Batch, ReadError> {
        let inner = &self.inner;
        let events = inner.store.after(after.number(), limit).await?;
        let follows = |first: &Event| first.position == after.number() + 1;
        let mut known = *inner.head.borrow();
        if !events.first().is_some_and(follows) {
            let head = inner.store.head().await?;
            known = known.max(head.position);
            if after.number() < head.truncated_position {
                return Err(ReadError::Truncated);
            }
        }
        let last = events.last().map_or(0, |event| event.position);
        Ok(Batch {
            events,
            head: Position::new(known.max(last)),
        })
    }

    /// The newest event that there is, as far as events have their positions.
    ///
    /// # Errors
    /// The store failed.
    pub async fn head(&self) -> Result<Position, StoreError> {
        let head = self.inner.store.head().await?;
        Ok(Position::new(head.position))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Returns when something was committed in this process since it last did.
    pub(crate) async fn committed(&self) {
        self.inner.committed.notified().await;
    }

    /// Wakes whoever waits for what is newer than the head was.
    pub(crate) fn has_head(&self, position: i64) {
        self.inner.head.send_if_modified(|head| {
            let is_newer = position > *head;
            *head = position.max(*head);
            is_newer
        });
    }
}

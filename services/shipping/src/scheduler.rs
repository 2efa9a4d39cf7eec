//! Makes shipments move when their time has come: those whose orders this instance heard of, and
//! those of instances that are gone.
//!
//! A move is one instance's under a lease, so that two seldom make the same. Nothing rests on that:
//! the shipment's state is the fence, and a move is written with its event or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use app::{Live, Timestamp, trace, with_causes};
use events::Failure;
use stores::sql::Transaction;
use telemetry::Telemetry;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::events::OrderConfirmed;
use crate::metrics::Metrics;
use crate::points::Points;
use crate::store::{Due, Lease, Store, StoreFailure};

/// What it takes to move shipments.
pub(crate) struct Needs {
    pub store: Store,
    pub points: Points,
    pub metrics: Metrics,
    pub settings: Live<Settings>,
    pub telemetry: Telemetry,
    /// Who owns the leases; a number makes each its own.
    pub instance: String,
    pub stopping: CancellationToken,
}

/// The scheduler of this instance. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Scheduler(Arc<Inner>);

struct Inner {
    needs: Needs,
    /// How many leases there were.
    leases: AtomicU64,
    /// Something may become due earlier than was thought.
    look: Notify,
}

impl Scheduler {
    pub(crate) fn new(needs: Needs) -> Self {
        Self(Arc::new(Inner {
            needs,
            leases: AtomicU64::new(0),
            look: Notify::new(),
        }))
    }

    /// Prepares the shipment of an order that was confirmed, if it has none. It moves as part of
    /// the trace that is current now.
    pub(crate) async fn prepare(
        &self,
        order: &OrderConfirmed,
        tx: &mut Transaction,
    ) -> Result<(), Failure> {
        let needs = &self.0.needs;
        let now = Timestamp::now();
        let after = Duration::from_millis(needs.settings.load().dispatch_after_ms);
        let is_new = needs
            .store
            .prepare(tx, order, now, now.plus(after), &trace::current())
            .await?;
        if is_new {
            let inner = Arc::clone(&self.0);
            tx.on_commit(move || {
                inner.needs.metrics.prepared.inc();
                inner.look.notify_one();
            });
        }
        Ok(())
    }

    /// Makes what is due until the service stops. Woken by time: as other instances may write new
    /// moves, nothing is looked at later than a lease from now.
    pub(crate) async fn run(self) {
        let stopping = &self.0.needs.stopping;
        while !stopping.is_cancelled() {
            let pause = self.0.look().await.unwrap_or_else(|error| {
                tracing::warn!(
                    error = with_causes(&error),
                    "cannot look for moves that are due"
                );
                self.0.lease_length()
            });
            tokio::select! {
                () = stopping.cancelled() => {}
                () = self.0.look.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

impl Inner {
    fn lease_length(&self) -> Duration {
        Duration::from_millis(self.needs.settings.load().lease_ms)
    }

    /// Makes what is due, and says how long nothing else will be.
    async fn look(&self) -> Result<Duration, StoreFailure> {
        let Needs { store, points, .. } = &self.needs;
        let overview = store.overview().await?;
        self.needs
            .metrics
            .looked(overview.shipments, overview.oldest);
        let now = Timestamp::now();
        let longest = self.lease_length();
        let Some(due) = overview.next_due else {
            return Ok(longest);
        };
        let ahead = due.micros().saturating_sub(now.micros());
        if let Ok(ahead @ 1..) = u64::try_from(ahead) {
            return Ok(Duration::from_micros(ahead).min(longest));
        }
        let settings = self.needs.settings.load();
        let nth = self.leases.fetch_add(1, Ordering::Relaxed);
        let lease = Lease {
            owner: format!("{}/{nth}", self.needs.instance),
            until: now.plus(longest),
        };
        let until = Instant::now() + longest;
        let due = store
            .take_due(settings.take_at_once, now, &lease, &points.take)
            .await?;
        for due in &due {
            if self.needs.stopping.is_cancelled() {
                let now = Timestamp::now();
                store.let_go(&lease.owner, now, &points.let_go).await?;
                break;
            }
            // What is left may be another's by now, who looks as well.
            if Instant::now() >= until {
                break;
            }
            self.make(due).await;
        }
        Ok(Duration::ZERO)
    }

    async fn make(&self, due: &Due) {
        let (needs, now) = (&self.needs, Timestamp::now());
        if due.adopted {
            needs.metrics.adopted.inc();
        }
        let late = now.micros().saturating_sub(due.planned.micros());
        let late = Duration::from_micros(u64::try_from(late).unwrap_or_default());
        let mut span = needs
            .telemetry
            .span(due.step.span())
            .remote_parent(&trace::read(&due.trace))
            .start()
            .with_attribute("citywatch.order.id", due.order.to_string().as_str())
            .with_attribute("citywatch.shipment.id", due.shipment.to_string().as_str())
            .with_attribute("citywatch.shipment.adopted", due.adopted);
        if due.moved_by != due.trace {
            span.add_remote_link(&trace::read(&due.moved_by), []);
        }
        let moved_by = trace::written(&span.context());
        let next = Duration::from_millis(needs.settings.load().deliver_after_ms);
        let at = needs.points.of(due.step);
        let made = needs.store.make(due, now, now.plus(next), &moved_by, at);
        let (order, step) = (due.order, due.step.label());
        let made = async {
            let made = made.await;
            match &made {
                Ok(true) => tracing::info!(%order, step, "shipment moved"),
                Ok(false) => tracing::info!(%order, step, "another instance moved the shipment"),
                // It may have been written all the same. If not, whoever finds the lease lapsed
                // goes on.
                Err(error) => {
                    tracing::error!(%order, step, error = with_causes(error), "move left to its lease");
                }
            }
            made
        };
        match span.in_scope(made).await {
            Ok(true) => needs.metrics.made(due.step, late),
            Ok(false) => {
                span.set_attribute("citywatch.shipment.lost", true);
                needs.metrics.lost.inc();
            }
            Err(_) => span.set_error("store"),
        }
    }
}

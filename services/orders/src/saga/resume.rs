//! Sagas that were set aside, and those whose driver is gone.

use std::sync::Arc;
use std::time::Duration;

use app::{Timestamp, trace, with_causes};
use calls::deadline;
use tokio::sync::OwnedSemaphorePermit;

use super::drive::{Drive, Left};
use super::{Held, Inner};
use crate::domain::Order;
use crate::store::{Due, StoreFailure};

impl Inner {
    /// Woken by time: a saga is taken when it is due, and as others may write new ones, nothing is
    /// looked at later than a lease from now.
    pub(super) async fn resume_what_is_due(self: &Arc<Self>) {
        let stopping = &self.needs.stopping;
        while !stopping.is_cancelled() {
            let pause = self.look().await.unwrap_or_else(|error| {
                tracing::warn!(
                    error = with_causes(&error),
                    "cannot look for sagas that are due"
                );
                self.lease_length()
            });
            tokio::select! {
                () = stopping.cancelled() => {}
                () = self.look.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Takes what is due, and says how long nothing else will be.
    async fn look(self: &Arc<Self>) -> Result<Duration, StoreFailure> {
        let needs = &self.needs;
        let overview = needs.store.overview().await?;
        needs.metrics.looked(overview.unfinished, overview.oldest);
        let now = Timestamp::now();
        let longest = self.lease_length();
        let Some(due) = overview.next_due else {
            return Ok(longest);
        };
        let ahead = due.micros().saturating_sub(now.micros());
        if let Ok(ahead @ 1..) = u64::try_from(ahead) {
            return Ok(Duration::from_micros(ahead).min(longest));
        }
        let mut rooms = Vec::new();
        while let Ok(room) = Arc::clone(&self.room).try_acquire_owned() {
            rooms.push(room);
        }
        if rooms.is_empty() {
            // Whoever leaves says so.
            return Ok(longest);
        }
        let held = self.new_lease();
        let at = &needs.points.adopt;
        let due = needs
            .store
            .take_due(rooms.len(), now, &held.lease, at)
            .await?;
        for (due, room) in due.into_iter().zip(rooms) {
            let sagas = Arc::clone(self);
            let held = Held {
                lease: held.lease.clone(),
                ..held
            };
            self.drivers
                .spawn(deadline::unbounded(sagas.resume(due, held, room)));
        }
        Ok(Duration::ZERO)
    }

    async fn resume(self: Arc<Self>, due: Due, held: Held, room: OwnedSemaphorePermit) {
        let needs = &self.needs;
        let order = due.order;
        let adopted = due.adopted;
        if adopted {
            needs.metrics.adopted.inc();
        }
        let mut span = needs
            .telemetry
            .span("resume saga")
            .remote_parent(&trace::read(&due.trace))
            .start()
            .with_attribute("citywatch.order.id", order.to_string().as_str())
            .with_attribute("citywatch.saga.adopted", adopted);
        span.add_remote_link(&trace::read(&due.driven_by), []);
        let driven_by = trace::written(&span.context());
        let drive = async {
            tracing::info!(%order, adopted, attempts = due.attempts, "saga resumed");
            needs.store.driven_by(order, &driven_by).await?;
            let log = needs.store.log(order).await?;
            let folded = Order::of(order, &log).ok_or(StoreFailure::UnknownOrder)?;
            let drive = Drive::new(Arc::clone(&self), folded, log, held).after(due.attempts);
            Ok::<_, StoreFailure>(drive.run().await)
        };
        let left = span.in_scope(drive).await.unwrap_or_else(|error| {
            tracing::error!(%order, error = with_causes(&error), "saga left to its lease");
            Left::Failed
        });
        span.set_attribute("citywatch.saga.left", left.label());
        if left == Left::Failed {
            span.set_error("store");
        }
        drop(room);
        self.look.notify_one();
    }
}

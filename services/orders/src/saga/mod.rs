//! Drives sagas to their end: those placed here at once, those set aside when their time has come,
//! and those of instances that are gone.
//!
//! A saga is one instance's under a lease, so that two seldom do the same. Nothing rests on that:
//! each step can be taken twice, and the log takes each event once.

mod drive;
mod resume;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use app::{Live, Timestamp};
use calls::deadline;
use telemetry::Telemetry;
use telemetry::context::in_current;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Settings;
use crate::clients::Clients;
use crate::domain::{Order, Recorded};
use crate::metrics::Metrics;
use crate::points::Points;
use crate::store::{Lease, Store};
use drive::Drive;

/// What it takes to drive sagas.
pub(crate) struct Needs {
    pub store: Store,
    pub clients: Clients,
    pub points: Arc<Points>,
    pub metrics: Metrics,
    pub settings: Live<Settings>,
    pub telemetry: Telemetry,
    /// Who owns the leases; a number makes each its own.
    pub instance: String,
    pub stopping: CancellationToken,
}

/// The sagas of this instance. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Sagas(Arc<Inner>);

struct Inner {
    needs: Needs,
    drivers: TaskTracker,
    /// How many leases there were.
    leases: AtomicU64,
    /// Room for sagas that are resumed.
    room: Arc<Semaphore>,
    /// Something may have become due earlier than was thought, or there is room again.
    look: Notify,
}

/// A lease, as the store and this process's own clock know it.
pub(crate) struct Held {
    pub lease: Lease,
    until: Instant,
    renew_at: Instant,
}

impl Sagas {
    pub(crate) fn new(needs: Needs) -> Self {
        let room = needs.settings.load().resume_at_once;
        Self(Arc::new(Inner {
            needs,
            drivers: TaskTracker::new(),
            leases: AtomicU64::new(0),
            room: Arc::new(Semaphore::new(room)),
            look: Notify::new(),
        }))
    }

    /// A lease from now on, for a saga that is about to be written.
    pub(crate) fn lease(&self) -> Held {
        self.0.new_lease()
    }

    /// Drives a saga that was just written, whatever becomes of the request. The receiver ends
    /// when the driver is done; while there is one, the driver waits for slow peers itself instead
    /// of setting the saga aside.
    pub(crate) fn begin(
        &self,
        order: Order,
        log: Vec<Recorded>,
        held: Held,
    ) -> oneshot::Receiver<()> {
        let (waited_for, done) = oneshot::channel();
        let drive = Drive::new(Arc::clone(&self.0), order, log, held).waited_for(waited_for);
        let drive = deadline::unbounded(async move {
            drive.run().await;
        });
        self.0.drivers.spawn(in_current(drive));
        done
    }

    /// Resumes what is due until the service stops, then lets go of every saga.
    pub(crate) async fn run(self) {
        self.0.resume_what_is_due().await;
        self.0.drivers.close();
        self.0.drivers.wait().await;
    }
}

impl Inner {
    /// A lease of an owner of its own: a driver that slept through its lease finds its saga taken,
    /// also if it was its own instance that took it.
    fn new_lease(&self) -> Held {
        let nth = self.leases.fetch_add(1, Ordering::Relaxed);
        self.lease(format!("{}/{nth}", self.needs.instance))
    }

    /// A lease from now on.
    fn lease(&self, owner: String) -> Held {
        let length = self.lease_length();
        let now = Instant::now();
        Held {
            lease: Lease {
                owner,
                until: Timestamp::now().plus(length),
            },
            until: now + length,
            renew_at: now + length / 2,
        }
    }

    fn lease_length(&self) -> Duration {
        Duration::from_millis(self.needs.settings.load().lease_ms)
    }
}

//! The leases at work: one lock, one clock, and a bell that rings when something changed.

use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::domain::{Count, Instance, Leases, Limits, Listed, Name, Refused, View};

pub(crate) struct Directory {
    leases: Mutex<Leases>,
    limits: Limits,
    /// The latest revision. A watcher that is slow misses steps, never the end.
    revision: watch::Sender<u64>,
}

impl Directory {
    pub(crate) fn new(limits: Limits) -> Self {
        let leases = Leases::new(limits, Instant::now().into_std());
        let revision = watch::Sender::new(leases.revision());
        Self {
            leases: Mutex::new(leases),
            limits,
            revision,
        }
    }

    pub(crate) fn ttl(&self) -> Duration {
        self.limits.ttl
    }

    pub(crate) fn register(&self, instance: Instance) -> Result<(), Refused> {
        self.change(|leases, now| leases.register(instance, now))
    }

    pub(crate) fn renew(&self, service: &Name, id: &Name) -> bool {
        self.change(|leases, now| leases.renew(service, id, now))
    }

    pub(crate) fn deregister(&self, service: &Name, id: &Name) -> bool {
        self.change(|leases, now| leases.deregister(service, id, now))
    }

    pub(crate) fn view(&self, service: &Name) -> View {
        self.lock().view(service)
    }

    pub(crate) fn counts(&self) -> Vec<Count> {
        self.lock().counts()
    }

    pub(crate) fn all(&self) -> Vec<Listed> {
        self.lock().all()
    }

    /// Rings with every change of any service.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Lets leases lapse in time, until `stopping` fires.
    pub(crate) async fn pass_time(self: Arc<Self>, stopping: CancellationToken) {
        let endless = async {
            loop {
                // Also when nothing is due: the leases tell by it that this process has not slept.
                let latest = Instant::now() + self.limits.longest_pause();
                let due = self.lock().next_change().map(Instant::from_std);
                sleep_until(due.map_or(latest, |due| due.min(latest))).await;
                self.change(Leases::advance);
            }
        };
        stopping.run_until_cancelled(endless).await;
    }

    fn change<T>(&self, change: impl FnOnce(&mut Leases, std::time::Instant) -> T) -> T {
        let mut leases = self.lock();
        let outcome = change(&mut leases, Instant::now().into_std());
        // Under the lock, so that the bell's number never goes back.
        let latest = leases.revision();
        self.revision
            .send_if_modified(|revision| std::mem::replace(revision, latest) != latest);
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Being found: a registration that is kept alive, and made anew when the registry has forgotten.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

use crate::advertise::Advertise;
use crate::backoff::Backoff;
use crate::endpoint::Endpoint;
use crate::error::RegistryError;
use crate::transport::{Call, Transport};
use crate::wire::{Granted, Register, is_name};

/// What an instance says of itself.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The service's name; the registry lets a service register itself only.
    pub service: String,
    /// Where the instance listens.
    pub endpoint: Endpoint,
    /// Where others are to look for it.
    pub advertise: Advertise,
    /// Its process id.
    pub pid: u32,
}

/// A registration in force, or on its way. Dropped, it is no longer kept alive and lapses;
/// [`Lease::deregister`] takes it back at once.
#[must_use = "a lease that is dropped lapses"]
pub struct Lease {
    held: Option<Held>,
    registered: watch::Receiver<bool>,
}

struct Held {
    transport: Arc<Transport>,
    path: String,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.held.as_ref().map(|held| held.path.as_str());
        f.debug_struct("Lease")
            .field("path", &path)
            .finish_non_exhaustive()
    }
}

impl Lease {
    /// A lease that nobody asks for: without a registry, everyone is where they are.
    pub(crate) fn nobodys() -> Self {
        Self {
            held: None,
            registered: watch::channel(true).1,
        }
    }

    /// Registers in the background, for as long as it takes.
    pub(crate) fn take(transport: Arc<Transport>, registration: Registration) -> Self {
        let stop = transport.stopping.child_token();
        let (told, registered) = watch::channel(false);
        let path = format!(
            "/v1/instances/{}/{}",
            registration.service, registration.endpoint.instance_id
        );
        let keeper = Keeper {
            transport: transport.clone(),
            registration,
            path: path.clone(),
            told,
        };
        let task = tokio::spawn(keeper.run(stop.clone()));
        let held = Held {
            transport,
            path,
            task,
            stop: stop.drop_guard(),
        };
        Self {
            held: Some(held),
            registered,
        }
    }

    /// Whether the registry has the registration, as far as is known.
    pub fn is_registered(&self) -> bool {
        *self.registered.borrow()
    }

    /// Returns when the registry has the registration; never if the client stops before.
    pub async fn registered(&self) {
        if self
            .registered
            .clone()
            .wait_for(|registered| *registered)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }

    /// Takes the registration back, so that callers stop coming at once. If the registry cannot be
    /// asked (two seconds at most), the lease lapses by itself.
    pub async fn deregister(self) {
        let Some(Held {
            transport,
            path,
            task,
            stop,
        }) = self.held
        else {
            return;
        };
        drop(stop);
        // A registration on its way must not arrive after its end.
        if task.await.is_err() {
            warn!(path, "lease's task had failed");
        }
        if let Err(error) = transport.tell(Call::new(Method::DELETE, &path)).await {
            let error = &error as &dyn std::error::Error;
            warn!(path, error, "could not deregister, the lease will lapse");
        }
    }
}

/// How a time of heartbeats ended.
enum Ended {
    /// The registry does not know the instance (any more).
    Unknown,
}

struct Keeper {
    transport: Arc<Transport>,
    registration: Registration,
    path: String,
    told: watch::Sender<bool>,
}

impl Keeper {
    async fn run(self, stop: CancellationToken) {
        if !is_name(&self.registration.service) || !is_name(&self.registration.endpoint.instance_id)
        {
            warn!(
                path = self.path,
                "not registered: a name is outside the registry's grammar"
            );
            return;
        }
        let keep = async {
            loop {
                let ttl = self.register().await;
                self.told.send_replace(true);
                let Ended::Unknown = self.heartbeats(ttl).await;
                self.told.send_replace(false);
                info!(
                    path = self.path,
                    "registry has forgotten this instance, registering anew"
                );
            }
        };
        let never: Option<()> = stop.run_until_cancelled(keep).await;
        debug_assert!(never.is_none());
    }

    /// Returns the lease's length, however long it takes to get one.
    async fn register(&self) -> Duration {
        let mut backoff = Backoff::registry();
        let mut refused = false;
        loop {
            match self.try_register().await {
                Ok(ttl) => return ttl,
                Err(error) => {
                    if !error.is_unreachable() && !std::mem::replace(&mut refused, true) {
                        let error = &error as &dyn std::error::Error;
                        warn!(path = self.path, error, "not registered, trying on");
                    }
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    async fn try_register(&self) -> Result<Duration, RegistryError> {
        let Registration {
            service,
            endpoint,
            advertise,
            pid,
        } = &self.registration;
        let endpoint = advertise.apply(endpoint, &self.transport.base_url).await?;
        let body = Register {
            service,
            instance_id: &endpoint.instance_id,
            address: endpoint.address,
            admin_address: endpoint.admin_address,
            version: &endpoint.version,
            pid: *pid,
        };
        let call = Call::new(Method::POST, "/v1/instances").json(&body)?;
        let granted: Granted = self.transport.fetch(call).await?;
        Ok(Duration::from_millis(granted.ttl_ms))
    }

    /// Three times in a lease's length, so that one lost heartbeat does not end it; sooner after a
    /// failure.
    async fn heartbeats(&self, mut ttl: Duration) -> Ended {
        let mut backoff = Backoff::registry();
        let mut wait = ttl / 3;
        loop {
            sleep(wait).await;
            let call = Call::new(Method::PUT, &self.path);
            match self.transport.fetch::<Granted>(call).await {
                Ok(granted) => {
                    backoff.reset();
                    ttl = Duration::from_millis(granted.ttl_ms);
                    // Instances that were started together do not stay in step.
                    wait = (ttl / 3).mul_f64(rand::random_range(0.9..=1.0));
                }
                Err(RegistryError::Refused {
                    status: StatusCode::NOT_FOUND,
                    ..
                }) => {
                    return Ended::Unknown;
                }
                Err(_) => wait = backoff.next().min(ttl / 3),
            }
        }
    }
}

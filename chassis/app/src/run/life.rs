//! A service from its first connection to its last.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use discovery::{Discovery, Endpoint, Lease, Registration};
use telemetry::Telemetry;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Ready, ServeError, keys, listen, say, steering::Steering};
use crate::{
    AuthKeys, City, Parts, Service, admin::Admin, parts::Public, public, settings::Common,
};

/// How long a start waits for the registry before it goes on without.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(1);
/// How long background tasks get to end by themselves.
const TASK_PATIENCE: Duration = Duration::from_secs(1);
/// The one service that serves the documents which steer it.
const REGISTRY: &str = "registry";

pub(super) struct Started<S: Service> {
    city: City<S::Settings>,
    closed: CancellationToken,
    admin: Arc<Admin>,
    admin_listener: AbortHandle,
    lease: Option<Lease>,
    ready: Ready,
    tasks: JoinSet<String>,
    served: JoinHandle<()>,
}

impl<S: Service> Started<S> {
    pub(super) async fn start(
        telemetry: Telemetry,
        instance_id: String,
        common: Common,
        own: S::Settings,
    ) -> Result<Self, ServeError> {
        let failed = |cause| ServeError::Start {
            service: S::NAME,
            cause,
        };
        // Watches and the lease outlive `stopping`: the drain begins with a farewell.
        let closed = CancellationToken::new();
        let signer = keys::signer(S::NAME, &common).map_err(failed)?;
        let registry = keys::registry_client(&telemetry, &common, signer.clone(), &closed);
        let trust = keys::Trust::new(S::NAME);

        let (mut steering, common, settings) =
            Steering::start::<S>(&telemetry, registry.clone(), &trust, common, own);
        let discovery = match &registry {
            Some(client) => Discovery::registry(client.clone()),
            None => Discovery::fixed(fixed_instances(&common.load())),
        };
        // The registry is its own client too, and cannot answer before it has started.
        if S::NAME != REGISTRY {
            steering.first_documents(REGISTRY_PATIENCE).await;
        }

        let city = City {
            settings,
            common,
            telemetry,
            discovery,
            registry,
            members: trust.members.clone(),
            member_keys: trust.member_keys.clone(),
            services: trust.services.clone(),
            service_keys: trust.service_keys.clone(),
            signer,
            stopping: CancellationToken::new(),
            instance_id,
        };
        let mut parts = S::start(city.clone()).await.map_err(failed)?;
        let started = Self::listen(city, closed, &mut parts).await?;
        Ok(started.follow(steering))
    }

    async fn listen(
        city: City<S::Settings>,
        closed: CancellationToken,
        parts: &mut Parts,
    ) -> Result<Self, ServeError> {
        let mut tasks = JoinSet::new();
        let common = city.common.load();
        let openapi = crate::openapi::<S>().to_pretty_json().unwrap_or_default();
        let admin = Admin::new(city.telemetry.clone(), parts, openapi);
        let (admin_address, admin_listener) =
            listen::bind("admin_listen", &common.admin_listen).await?;
        let serve_admin = public::serve(
            admin_listener,
            Arc::clone(&admin).router(),
            // Metrics and readiness are answered while the service drains.
            std::future::pending(),
        );
        let admin_listener = tasks.spawn(async move {
            let _ = serve_admin.await;
            "admin listener".to_owned()
        });
        for (name, task) in parts.tasks.drain(..) {
            tasks.spawn(async move {
                task.await;
                name.to_owned()
            });
        }
        let public = std::mem::replace(&mut parts.public, Public::Router(axum::Router::new()));
        let (public_address, served) = match public {
            Public::Listening { address, drained } => (address, tokio::spawn(drained)),
            Public::Router(router) => {
                let address = if common.listen.is_empty() {
                    S::LISTEN
                } else {
                    &common.listen
                };
                let (address, listener) = listen::bind("listen", address).await?;
                let keys = AuthKeys::new(
                    city.members.clone(),
                    city.services.clone(),
                    common.operator_token.clone(),
                );
                let router = public::around(router, &city.common, &city.telemetry, keys);
                let stop = city.stopping.clone().cancelled_owned();
                let serve = public::serve(listener, router, stop);
                (
                    address,
                    tokio::spawn(async move {
                        if let Err(error) = serve.await {
                            tracing::error!(%error, "public listener failed");
                        }
                    }),
                )
            }
        };
        let ready = Ready {
            service: S::NAME,
            instance_id: city.instance_id.clone(),
            public: public_address,
            admin: admin_address,
            addresses: std::mem::take(&mut parts.addresses),
        };
        let lease = Self::register(&city, &ready).await;
        Ok(Self {
            city,
            closed,
            admin,
            admin_listener,
            lease,
            ready,
            tasks,
            served,
        })
    }

    async fn register(city: &City<S::Settings>, ready: &Ready) -> Option<Lease> {
        city.registry.as_ref()?;
        let registration = Registration {
            service: S::NAME.to_owned(),
            endpoint: Endpoint {
                instance_id: ready.instance_id.clone(),
                address: ready.public,
                admin_address: Some(ready.admin),
                version: S::VERSION.to_owned(),
            },
            pid: std::process::id(),
        };
        let lease = city.discovery.register(registration).await;
        if tokio::time::timeout(REGISTRY_PATIENCE, lease.registered())
            .await
            .is_err()
        {
            tracing::warn!("not registered yet: the registry does not answer; trying on");
        }
        Some(lease)
    }

    /// Only once the service listens: the registry follows its own documents.
    fn follow(mut self, steering: Steering<S::Settings>) -> Self {
        steering.spawn(&mut self.tasks, self.city.stopping.clone());
        self
    }

    pub(super) fn ready(&self) -> Ready {
        self.ready.clone()
    }

    pub(super) async fn until_stopped(
        mut self,
        asked: &CancellationToken,
    ) -> Result<(), ServeError> {
        let outcome = tokio::select! {
            () = asked.cancelled() => Ok(()),
            Some(ended) = self.tasks.join_next() => Err(ended.unwrap_or_else(|error| error.to_string())),
            _ = &mut self.served => Err("public listener".to_owned()),
        };
        if let Err(what) = &outcome {
            tracing::error!(task = what, "ended early; stopping");
        }
        self.drain().await;
        outcome.map_err(|what| ServeError::Ended {
            service: S::NAME,
            what,
        })
    }

    async fn drain(mut self) {
        let common: Arc<Common> = self.city.common.load();
        self.admin.drain();
        // First out of the registry, so that nobody sends what we would refuse.
        if let Some(lease) = self.lease.take() {
            let _ = tokio::time::timeout(REGISTRY_PATIENCE, lease.deregister()).await;
        }
        self.closed.cancel();
        self.city.stopping.cancel();
        let limit = Duration::from_millis(common.drain_timeout_ms);
        if !self.served.is_finished()
            && tokio::time::timeout(limit, &mut self.served).await.is_err()
        {
            tracing::warn!(
                drain_timeout_ms = common.drain_timeout_ms,
                "requests cut off"
            );
            self.served.abort();
        }
        // Tasks end by themselves on `stopping`; the admin listener and stragglers are ended.
        self.admin_listener.abort();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(TASK_PATIENCE, ended).await;
        self.tasks.shutdown().await;
        let limit = Duration::from_millis(common.telemetry_shutdown_ms);
        let report = self.city.telemetry.shutdown(limit).await;
        let _ = say(&format!("STOPPED {report}\n"));
    }
}

fn fixed_instances(common: &Common) -> BTreeMap<String, Vec<Endpoint>> {
    let endpoint = |address: &SocketAddr| Endpoint {
        instance_id: address.to_string(),
        address: *address,
        admin_address: None,
        version: String::new(),
    };
    let endpoints = |addresses: &Vec<SocketAddr>| addresses.iter().map(endpoint).collect();
    common
        .instances
        .iter()
        .map(|(name, list)| (name.clone(), endpoints(list)))
        .collect()
}

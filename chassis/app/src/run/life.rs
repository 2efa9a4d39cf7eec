//! A service from its first connection to its last.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use calls::Calls;
use discovery::{Discovery, Endpoint, Lease, Registration};
use faults::Faults;
use telemetry::Telemetry;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{Ready, ServeError, keys, listen, steering::Steering};
use crate::{
    AuthKeys, City, Parts, Service, StartError,
    admin::{Admin, Phase},
    panics::caught,
    parts::Public,
    public::{self, Bounds},
    settings::Common,
};

/// How long a start waits for the registry before it goes on without.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(1);
/// How long background tasks get to end by themselves.
const TASK_PATIENCE: Duration = Duration::from_secs(1);
/// How long last words get: spans before the listener closes, answers that say so after a cut.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// The point that every request passes before its handler.
const SERVER: &str = "server";
/// The one service that serves the documents which steer it.
const REGISTRY: &str = "registry";

pub(super) struct Started<S: Service> {
    city: City<S::Settings>,
    closed: CancellationToken,
    admin: Arc<Admin>,
    admin_listener: AbortHandle,
    lease: Option<Lease>,
    ready: Ready,
    tasks: JoinSet<Ended>,
    served: JoinHandle<()>,
    bounds: Bounds,
    _ends: [DropGuard; 2],
}

/// A background task's end.
struct Ended {
    task: &'static str,
    panic: Option<String>,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.panic {
            None => write!(f, "task `{}` ended early", self.task),
            Some(message) => write!(f, "task `{}` panicked: {message}", self.task),
        }
    }
}

async fn ended(task: &'static str, work: impl Future<Output = ()>) -> Ended {
    let panic = caught(work).await.err();
    Ended { task, panic }
}

impl<S: Service> Started<S> {
    /// Can be dropped at any point: what it began in the background then ends.
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
        let (closed, stopping) = (CancellationToken::new(), CancellationToken::new());
        let ends = [closed.clone().drop_guard(), stopping.clone().drop_guard()];
        let signer = keys::signer(S::NAME, &common).map_err(failed)?;
        let registry = keys::registry_client(&telemetry, &common, signer.clone(), &closed);
        let discovery = match &registry {
            Some(client) => Discovery::registry(client.clone()),
            None => Discovery::fixed(fixed_instances(&common)),
        };
        let trust = keys::Trust::new(S::NAME);
        let (mut steering, common, settings) = Steering::start(
            S::NAME,
            (&telemetry, &instance_id),
            registry.clone(),
            discovery.clone(),
            trust.clone(),
            (common, own),
        );
        // The registry is its own client too, and cannot answer before it has started.
        if S::NAME != REGISTRY {
            steering.first_documents(REGISTRY_PATIENCE).await;
        }
        let enabled = common.load().faults_enabled;
        let faults = Faults::new(enabled, telemetry.registry())
            .map_err(|error| failed(StartError::new(error)))?;

        let live = common.clone();
        let calls = Calls::new(calls::Setup {
            caller: S::NAME,
            telemetry: telemetry.clone(),
            discovery: discovery.clone(),
            signer: signer.clone(),
            faults: faults.clone(),
            policy: Box::new(move || live.load().call_policy()),
            seed: rand::random(),
        })
        .map_err(|error| failed(StartError::new(error)))?;
        let city = City {
            service: S::NAME,
            settings,
            common,
            telemetry,
            faults,
            calls,
            discovery,
            registry,
            members: trust.members,
            member_keys: trust.member_keys,
            services: trust.services,
            service_keys: trust.service_keys,
            signer,
            stopping,
            instance_id,
        };
        let parts = caught(S::start(city.clone()))
            .await
            .unwrap_or_else(|panic| Err(StartError::new(format_args!("it panicked: {panic}"))))
            .map_err(failed)?;
        let mut started = Self::listen(city, closed, ends, parts).await?;
        // Only once the service listens: the registry follows its own documents.
        let stopping = started.city.stopping.clone();
        started.tasks.spawn(ended("steering", async move {
            stopping.run_until_cancelled(steering.follow()).await;
        }));
        started.lease = started.register().await;
        Ok(started)
    }

    async fn listen(
        city: City<S::Settings>,
        closed: CancellationToken,
        ends: [DropGuard; 2],
        mut parts: Parts,
    ) -> Result<Self, ServeError> {
        let mut tasks = JoinSet::new();
        let bounds = Bounds {
            common: city.common.clone(),
            cut_off: CancellationToken::new(),
            detached: TaskTracker::new(),
        };
        let common = city.common.load();
        let keys = AuthKeys::new(
            city.members.clone(),
            city.services.clone(),
            common.operator_token.clone(),
        );
        let openapi = crate::openapi::<S>().to_pretty_json().unwrap_or_default();
        let admin = Admin::new(
            city.telemetry.clone(),
            &mut parts,
            openapi,
            city.faults.clone(),
            keys.clone(),
        );
        let (admin_address, admin_listener) =
            listen::bind("admin_listen", &common.admin_listen).await?;
        let serve_admin = public::serve(
            admin_listener,
            Arc::clone(&admin).router(),
            // Metrics and readiness are answered while the service drains.
            std::future::pending(),
        );
        let admin_listener = tasks.spawn(ended("admin listener", async move {
            if let Err(error) = serve_admin.await {
                tracing::error!(%error, "admin listener failed");
            }
        }));
        for (name, task) in parts.tasks {
            tasks.spawn(ended(name, task));
        }
        let (public_address, served) = match parts.public {
            Public::Listening { address, drained } => (address, tokio::spawn(drained)),
            Public::Router(router) => {
                let address = if common.listen.is_empty() {
                    S::LISTEN
                } else {
                    &common.listen
                };
                let (address, listener) = listen::bind("listen", address).await?;
                let server = city.faults.point(
                    SERVER,
                    "a public request has come in, its handler has not begun",
                );
                let held = public::held(
                    parts.held,
                    keys.clone(),
                    bounds.cut_off.clone(),
                    server.clone(),
                );
                let router = public::around(router, &city.telemetry, keys, bounds.clone(), server);
                let router = router.merge(held);
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
            addresses: parts.addresses,
        };
        Ok(Self {
            city,
            closed,
            admin,
            admin_listener,
            lease: None,
            ready,
            tasks,
            served,
            bounds,
            _ends: ends,
        })
    }

    async fn register(&self) -> Option<Lease> {
        self.city.registry.as_ref()?;
        let registration = Registration {
            service: S::NAME.to_owned(),
            endpoint: Endpoint {
                instance_id: self.ready.instance_id.clone(),
                address: self.ready.public,
                admin_address: Some(self.ready.admin),
                version: S::VERSION.to_owned(),
            },
            advertise: self.city.common.load().advertise.clone(),
            pid: std::process::id(),
        };
        Some(self.city.discovery.register(registration).await)
    }

    /// Returns when others can find it and it can find them, or the registry was given time enough
    /// to say so.
    pub(super) async fn introduced(&self) {
        let introduced = async {
            if let Some(lease) = &self.lease {
                tokio::join!(lease.registered(), self.city.discovery.synced());
            }
        };
        if tokio::time::timeout(REGISTRY_PATIENCE, introduced)
            .await
            .is_err()
        {
            tracing::warn!("not known to the others, or they not to it: the registry is silent");
        }
        self.admin.enter(Phase::Serving);
    }

    pub(super) fn ready(&self) -> &Ready {
        &self.ready
    }

    pub(super) async fn until_stopped(
        mut self,
        asked: &CancellationToken,
    ) -> Result<(), ServeError> {
        let outcome = tokio::select! {
            biased;
            () = asked.cancelled() => Ok(()),
            Some(ended) = self.tasks.join_next() => {
                Err(ended.map_or_else(|error| error.to_string(), |ended| ended.to_string()))
            }
            _ = &mut self.served => Err("the public listener ended early".to_owned()),
        };
        self.drain().await;
        outcome.map_err(|what| ServeError::Ended {
            service: S::NAME,
            what,
        })
    }

    async fn drain(mut self) {
        let common: Arc<Common> = self.city.common.load();
        self.admin.enter(Phase::Draining);
        // First out of the registry, so that nobody sends what we would refuse.
        if let Some(lease) = self.lease.take() {
            let _ = tokio::time::timeout(REGISTRY_PATIENCE, lease.deregister()).await;
        }
        self.closed.cancel();
        // The observatory delivers its own spans to itself: while it still listens.
        let _ = tokio::time::timeout(LAST_WORDS, self.city.telemetry.flush()).await;
        self.city.stopping.cancel();
        let limit = Duration::from_millis(common.drain_timeout_ms);
        let in_flight = async {
            if !self.served.is_finished() {
                let _ = (&mut self.served).await;
            }
            self.bounds.detached.close();
            self.bounds.detached.wait().await;
        };
        if tokio::time::timeout(limit, in_flight).await.is_err() {
            tracing::warn!(
                drain_timeout_ms = common.drain_timeout_ms,
                "requests cut off"
            );
            self.bounds.cut_off.cancel();
            if !self.served.is_finished() {
                let _ = tokio::time::timeout(LAST_WORDS, &mut self.served).await;
            }
            self.served.abort();
        }
        // Tasks end by themselves on `stopping`; the admin listener and stragglers are ended.
        self.admin_listener.abort();
        let ended = async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Ok(ended @ Ended { panic: Some(_), .. }) = ended {
                    tracing::error!(%ended, "failed while stopping");
                }
            }
        };
        let _ = tokio::time::timeout(TASK_PATIENCE, ended).await;
        self.tasks.shutdown().await;
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

//! From settings to a served, registered, watched and finally drained service.

mod keys;
mod listen;
mod signals;
mod steering;

use std::{
    collections::BTreeMap, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc,
    time::Duration,
};

use discovery::{Discovery, Endpoint, Lease, Registration};
use serde::Serialize;
use telemetry::Telemetry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    AuthKeys, City, Parts, Service, StartError,
    admin::Admin,
    parts::Public,
    public,
    settings::{Common, Live, SettingsError, Sources},
};

/// How long a start waits for the registry before it goes on without.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(1);

/// How long background tasks get to end by themselves.
const TASK_PATIENCE: Duration = Duration::from_secs(1);
/// The one service that serves the documents which steer it.
const REGISTRY: &str = "registry";

/// How a service is to be run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// End when stdin closes: whoever started this process is gone.
    pub leash: bool,
    /// Settings file; none: `citywatch.toml` in the working folder, if it is there.
    pub config: Option<PathBuf>,
}

/// Why a service did not run to a clean end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Telemetry cannot be set up.
    #[error("telemetry: {0}")]
    Telemetry(#[from] telemetry::InitError),
    /// The service could not start.
    #[error("{service} cannot start: {cause}")]
    Start {
        /// Which service.
        service: &'static str,
        /// What it said.
        cause: StartError,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address} (setting `{key}`): {source}")]
    Listen {
        /// The address.
        address: String,
        /// The setting that names it.
        key: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something that must run as long as the service ended before it.
    #[error("{service}: {what} ended early")]
    Ended {
        /// Which service.
        service: &'static str,
        /// The task.
        what: String,
    },
}

/// The whole of a service's `main`.
#[must_use]
pub fn main<S: Service>() -> ExitCode {
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--leash" => options.leash = true,
            "--config" => options.config = arguments.next().map(PathBuf::from),
            "--version" => return say(&format!("citywatch-{} {}\n", S::NAME, S::VERSION)),
            _ => {
                let usage = "usage: [--leash] [--config FILE] [--version]";
                return fail(&format!("unknown argument `{argument}`; {usage}"));
            }
        }
    }
    match run::<S>(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

/// Makes a runtime of the size that the settings say and serves on it.
///
/// # Errors
/// Those of [`serve`].
pub fn run<S: Service>(options: &Options) -> Result<(), ServeError> {
    let (common, own) = Sources::open(options.config.as_deref())?.read::<S::Settings>(S::NAME)?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if common.worker_threads > 0 {
        builder.worker_threads(common.worker_threads);
    }
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| ServeError::Start {
            service: S::NAME,
            cause: StartError::new(error),
        })?;
    let stopping = CancellationToken::new();
    let outcome = runtime.block_on(async {
        signals::stop_on_signal(&stopping);
        if options.leash {
            signals::stop_when_stdin_closes(stopping.clone());
        }
        serve_with::<S>(common, own, stopping, |ready| {
            let _ = say(&format!(
                "READY {}\n",
                serde_json::to_string(ready).unwrap_or_default()
            ));
        })
        .await
    });
    // What still blocks a thread (a password being hashed) must not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome
}

/// Where a service that is ready can be reached.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// Which service.
    pub service: &'static str,
    /// This instance.
    pub instance_id: String,
    /// The public listener.
    pub public: SocketAddr,
    /// The admin listener.
    pub admin: SocketAddr,
    /// Further listeners by name.
    pub addresses: BTreeMap<&'static str, SocketAddr>,
}

/// Runs a service until `stopping` fires, then drains it.
///
/// `on_ready` is called once, when it listens and is registered (or the registry did not answer
/// in time: registration then goes on in the background).
///
/// # Errors
/// It could not start, or something that it needs ended early.
pub async fn serve_with<S: Service>(
    common: Common,
    own: S::Settings,
    stopping: CancellationToken,
    on_ready: impl FnOnce(&Ready),
) -> Result<(), ServeError> {
    let instance_id = uuid::Uuid::now_v7().to_string();
    let telemetry = telemetry::init(
        telemetry::Service::new(S::NAME, S::VERSION).instance_id(instance_id.clone()),
    )?;
    serve_on::<S>(telemetry, instance_id, common, own, stopping, on_ready).await
}

/// [`serve_with`], on telemetry that the caller made: for tests that capture spans.
///
/// # Errors
/// As [`serve_with`].
pub async fn serve_on<S: Service>(
    telemetry: Telemetry,
    instance_id: String,
    common: Common,
    own: S::Settings,
    stopping: CancellationToken,
    on_ready: impl FnOnce(&Ready),
) -> Result<(), ServeError> {
    if let Err(error) = telemetry.set_log_filter(&common.log) {
        let message = format!("`log`: {error}");
        return Err(SettingsError::Invalid {
            service: S::NAME.to_owned(),
            message,
        }
        .into());
    }
    let started = Started::<S>::start(telemetry, instance_id, common, own, &stopping).await?;
    let ready = started.ready();
    on_ready(&ready);
    tracing::info!(public = %ready.public, admin = %ready.admin, "ready");
    let outcome = started.until_stopped(&stopping).await;
    stopping.cancel();
    outcome
}

struct Started<S: Service> {
    city: City<S::Settings>,
    closed: CancellationToken,
    admin: Arc<Admin>,
    admin_listener: tokio::task::AbortHandle,
    lease: Option<Lease>,
    ready: Ready,
    tasks: JoinSet<String>,
    served: tokio::task::JoinHandle<()>,
}

impl<S: Service> Started<S> {
    async fn start(
        telemetry: Telemetry,
        instance_id: String,
        common: Common,
        own: S::Settings,
        stopping: &CancellationToken,
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
            steering::Steering::start::<S>(&telemetry, registry.clone(), &trust, common, own);
        let discovery = match &registry {
            Some(client) => Discovery::registry(client.clone()),
            None => Discovery::fixed(fixed_instances(&common.load())),
        };
        let mut tasks = JoinSet::new();
        // The registry is its own client too, and cannot answer before it has started.
        if S::NAME != REGISTRY {
            steering.first_documents(REGISTRY_PATIENCE).await;
        }
        steering.spawn(&mut tasks, stopping.clone());

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
            stopping: stopping.clone(),
            instance_id,
        };
        let mut parts = S::start(city.clone()).await.map_err(failed)?;
        Self::listen(city, closed, &mut parts, tasks).await
    }

    async fn listen(
        city: City<S::Settings>,
        closed: CancellationToken,
        parts: &mut Parts,
        mut tasks: JoinSet<String>,
    ) -> Result<Self, ServeError> {
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

    fn ready(&self) -> Ready {
        self.ready.clone()
    }

    async fn until_stopped(mut self, stopping: &CancellationToken) -> Result<(), ServeError> {
        let outcome = tokio::select! {
            () = stopping.cancelled() => Ok(()),
            Some(ended) = self.tasks.join_next() => Err(ended.unwrap_or_else(|error| error.to_string())),
            _ = &mut self.served => Err("public listener".to_owned()),
        };
        // A stop may make tasks end before this loop sees the stop itself.
        let outcome = if stopping.is_cancelled() {
            Ok(())
        } else {
            outcome
        };
        if let Err(what) = &outcome {
            tracing::error!(task = what, "ended early; stopping");
        }
        self.drain(stopping).await;
        outcome.map_err(|what| ServeError::Ended {
            service: S::NAME,
            what,
        })
    }

    async fn drain(mut self, stopping: &CancellationToken) {
        let common: Arc<Common> = Live::load(&self.city.common);
        self.admin.drain();
        // First out of the registry, so that nobody sends what we would refuse.
        if let Some(lease) = self.lease.take() {
            let _ = tokio::time::timeout(REGISTRY_PATIENCE, lease.deregister()).await;
        }
        self.closed.cancel();
        stopping.cancel();
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

fn say(text: &str) -> ExitCode {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(message: &str) -> ExitCode {
    use std::io::Write;
    let _ = writeln!(std::io::stderr().lock(), "error: {message}");
    ExitCode::FAILURE
}

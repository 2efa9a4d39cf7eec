//! The gateway as a value: settings in, workers out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread;
use std::time::{Duration, Instant};

use app::{City, Common, Live, Parts, Service, StartError};
use arc_swap::ArcSwap;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;

use crate::config::{Config, Places};
use crate::limit::RateTable;
use crate::listen;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::worker::{self, Limits, Shared};

/// Its own interface is what every service has; all other paths are those of its routes.
#[derive(OpenApi)]
#[openapi(info(description = "The city's front door. Paths are those of the services behind it."))]
struct Api;

/// The gateway.
#[derive(Debug)]
pub struct Gateway;

impl Service for Gateway {
    const NAME: &'static str = "gateway";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const LISTEN: &'static str = "127.0.0.1:8080";
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        Api::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let settings = city.settings.load();
        let common = city.common.load();
        let places = Places::new(city.discovery.clone());
        let config = Config::build(&settings, &common, &places).map_err(StartError::new)?;
        let shared = Arc::new(Shared {
            config: ArcSwap::from_pointee(config),
            limits: Limits {
                max_connections: settings.max_connections,
                max_headers: settings.max_headers,
                max_header_bytes: settings.max_header_bytes,
                token_cache: settings.token_cache,
                drain: Duration::from_millis(common.drain_timeout_ms),
            },
            members: city.members.clone(),
            rates: RateTable::new(settings.rate_limit_keys, Instant::now()),
            metrics: Metrics::new(city.telemetry.registry(), &city.members)
                .map_err(StartError::new)?,
            telemetry: city.telemetry.clone(),
            connections: AtomicUsize::new(0),
        });
        let workers = match settings.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let address = listen_address(&common).await?;
        let cannot_listen = |error| {
            StartError::new(format!(
                "cannot listen on {address} (setting `listen`): {error}"
            ))
        };
        let listeners = listen::bind(address, workers).map_err(cannot_listen)?;
        let address = listeners[0].local_addr().map_err(cannot_listen)?;

        let lost = CancellationToken::new();
        let mut ended = Vec::with_capacity(workers);
        for (number, listener) in listeners.into_iter().enumerate() {
            let shared = Arc::clone(&shared);
            let worker = spawn(
                number,
                shared,
                listener,
                city.stopping.clone(),
                lost.clone(),
            )?;
            ended.push(worker);
        }
        let drained = async move {
            for worker in ended {
                let _ = worker.await;
            }
        };
        let stopping = city.stopping.clone();
        let all_work = async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = lost.cancelled() => {}
            }
        };
        let follow = follow(city.settings, city.common, shared, places, city.stopping);
        Ok(Parts::listening(address, drained)
            .task("a worker", all_work)
            .task("configuration", follow))
    }
}

async fn listen_address(common: &Common) -> Result<SocketAddr, StartError> {
    let text = if common.listen.is_empty() {
        Gateway::LISTEN
    } else {
        &common.listen
    };
    let not_found = |error: &dyn std::fmt::Display| {
        StartError::new(format!(
            "`{text}` (setting `listen`) is no address: {error}"
        ))
    };
    let mut found = tokio::net::lookup_host(text)
        .await
        .map_err(|error| not_found(&error))?;
    found.next().ok_or_else(|| not_found(&"no such host"))
}

/// Starts a worker on a thread of its own. The receiver hears when it has ended; `lost` fires if
/// that was before `stopping` did: a gateway with a worker less is better started anew.
fn spawn(
    number: usize,
    shared: Arc<Shared>,
    listener: std::net::TcpListener,
    stopping: CancellationToken,
    lost: CancellationToken,
) -> Result<oneshot::Receiver<()>, StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::new)?;
    let name = format!("worker-{number}");
    shared.telemetry.observe_runtime(&name, runtime.handle());
    let (ended, hears) = oneshot::channel();
    thread::Builder::new()
        .name(format!("gateway-{number}"))
        .spawn(move || {
            // Dropped at the end, or when the thread panics.
            let _ended = ended;
            let lost = lost.drop_guard();
            let seed = u64::try_from(number).unwrap_or(0);
            worker::run(&runtime, shared, listener, &stopping, seed);
            if stopping.is_cancelled() {
                lost.disarm();
            }
        })
        .map_err(StartError::new)?;
    Ok(hears)
}

/// Puts changed settings in force, as a whole; what cannot be used changes nothing.
async fn follow(
    mut settings: Live<Settings>,
    mut common: Live<Common>,
    shared: Arc<Shared>,
    places: Places,
    stopping: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            _ = settings.changed() => {}
            _ = common.changed() => {}
        }
        // Settings are checked before they get here; a table that fails all the same stays out.
        match Config::build(&settings.load(), &common.load(), &places) {
            Ok(config) => shared.config.store(Arc::new(config)),
            Err(error) => tracing::error!(error, "configuration refused; the last good one stays"),
        }
    }
}

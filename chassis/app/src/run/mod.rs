//! From settings to a served, registered, watched and finally drained service.

mod kept;
mod keys;
mod life;
mod listen;
mod refetch;
mod signals;
mod steering;

use std::{
    collections::BTreeMap, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration,
};

use serde::Serialize;
use telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::{
    Service, StartError,
    settings::{Common, SettingsError, Sources},
};
use life::Started;

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
    #[error("{service} cannot go on: {what}")]
    Ended {
        /// Which service.
        service: &'static str,
        /// What ended, and how.
        what: String,
    },
}

/// The whole of a service's `main`.
#[must_use]
pub fn main<S: Service>() -> ExitCode {
    let usage = format!(
        "usage: citywatch-{} [--leash] [--config FILE] [--version]",
        S::NAME
    );
    let mut options = Options::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--leash" => options.leash = true,
            "--config" => match arguments.next() {
                Some(file) => options.config = Some(PathBuf::from(file)),
                None => return fail(&format!("`--config` needs a file; {usage}")),
            },
            "--help" => return say(&format!("{usage}\n")),
            "--version" => return say(&format!("citywatch-{} {}\n", S::NAME, S::VERSION)),
            _ => return fail(&format!("unknown argument `{argument}`; {usage}")),
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
/// Those of [`serve_with`], and settings that cannot be used.
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
/// `on_ready` is called once, when it listens, is registered and was told where those are whom it
/// calls (or the registry did not answer in time: both then go on in the background).
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
    let service = telemetry::Service::new(S::NAME, S::VERSION).instance_id(instance_id.clone());
    let settings = telemetry::Settings::from_env().map_err(telemetry::InitError::from)?;
    let telemetry = Telemetry::builder(service)
        .settings(settings)
        .log_panics()
        .build()?;
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
    telemetry.observe_runtime("main", &tokio::runtime::Handle::current());
    let limit = Duration::from_millis(common.telemetry_shutdown_ms);
    let start = Started::<S>::start(telemetry.clone(), instance_id, common, own);
    let outcome = live(start, &stopping, on_ready).await;
    if let Err(error) = &outcome {
        tracing::error!(%error, "stopped");
    }
    // Last of all, whatever the outcome: what was said last is what people look for.
    let report = telemetry.shutdown(limit).await;
    let _ = say(&format!("STOPPED {report}\n"));
    outcome
}

/// From start to drain. Whoever asks to stop is heard during a start too, however long it takes.
async fn live<S: Service>(
    start: impl Future<Output = Result<Started<S>, ServeError>>,
    stopping: &CancellationToken,
    on_ready: impl FnOnce(&Ready),
) -> Result<(), ServeError> {
    let Some(started) = stopping.run_until_cancelled(start).await else {
        tracing::info!("stopped before the start was done");
        return Ok(());
    };
    let started = started?;
    if stopping
        .run_until_cancelled(started.introduced())
        .await
        .is_some()
    {
        let ready = started.ready();
        tracing::info!(public = %ready.public, admin = %ready.admin, "ready");
        on_ready(ready);
    }
    started.until_stopped(stopping).await
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

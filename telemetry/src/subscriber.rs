//! The process's `tracing` subscriber, the one thing that is global: shared by all services of the
//! process.

use crate::builder::InitError;
use crate::child::SpanLayer;
use crate::log;
use crate::settings::Settings;
use crate::sync::lock;
use std::sync::Mutex;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

/// Installs the subscriber, or finds the one that an earlier call has installed.
pub(crate) fn install(settings: &Settings, service: &str) -> Result<log::Handle, InitError> {
    static INSTALLED: Mutex<Option<log::Handle>> = Mutex::new(None);
    let mut installed = lock(&INSTALLED);
    if settings.log_panics {
        log::panics::log();
    }
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let (lines, handle) = log::layer(settings, service)?;
    let spans = SpanLayer::of_process(handle.clone()).build();
    // The spans' layer last, because the last is asked first.
    let subscriber = Registry::default().with(lines).with(spans);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| InitError::Subscriber)?;
    *installed = Some(handle.clone());
    Ok(handle)
}

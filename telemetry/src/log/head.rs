//! What every line has, whatever it is about.

use tracing::Level;

use super::time::Timestamp;
use crate::context::current::{self, Ids};

/// The members of every line.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub(super) timestamp: Timestamp,
    pub(super) level: Level,
    pub(super) target: &'a str,
    pub(super) service: Service<'a>,
    pub(super) ids: Option<Ids>,
}

/// The service whose context is current, or this one.
#[derive(Debug)]
pub(super) struct Service<'a>(pub(super) &'a str);

impl Service<'_> {
    /// Appends its name, made safe by `escape`.
    pub(super) fn write(&self, line: &mut Vec<u8>, escape: fn(&mut Vec<u8>, &str)) {
        let inside = current::with_current(|current| escape(line, current.core.service().name()));
        if inside.is_none() {
            escape(line, self.0);
        }
    }
}

/// The current span: one of ours, or one of the OpenTelemetry API.
pub(super) fn ids() -> Option<Ids> {
    current::ids()
}

/// Writes what did not come by an event.
pub(super) trait Members {
    fn text(&mut self, name: &str, value: &str);
    fn number(&mut self, name: &str, value: u64);
}

//! What one signal's way out says about itself, for the metrics page and the push of metrics.

use super::journal::Journal;
use super::ledger::Flow;
use super::signal::Signal;
use std::sync::Arc;

/// One signal's account at one instant.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) signal: Signal,
    pub(crate) flow: Flow,
    /// Of the exporter, if there is one.
    pub(crate) journal: Option<Arc<Journal>>,
}

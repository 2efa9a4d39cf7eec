//! What one signal's way out says about itself, for the metrics page and the push of metrics.

use super::journal::Journal;
use super::ledger::Flow;
use super::signal::Signal;
use super::tally::Tally;
use std::sync::Arc;

/// One signal's account at one instant.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) signal: Signal,
    /// Of what waits for the exporter; metrics do not wait, they are read.
    pub(crate) queue: Option<Flow>,
    /// Of what was given to the exporter.
    pub(crate) tally: Tally,
    /// Of the exporter, if there is one.
    pub(crate) journal: Option<Arc<Journal>>,
}

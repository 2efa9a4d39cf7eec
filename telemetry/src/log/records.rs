//! The way of log records out by OTLP, beside the lines: the same buffers, queue and exporter that
//! spans have.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::core::SCHEMA_URL;
use crate::counts::SpanCounts;
use crate::export;
use crate::export::exit::Exit;
use crate::export::report::Report;
use crate::export::signal::Signal;
use crate::export::spool::Spool;
use crate::settings::{Limits, LogsSettings};

/// Where one service's log records go.
#[derive(Debug)]
pub(crate) struct Records {
    spool: Arc<Spool>,
    limits: Limits,
    /// How long the exporter may go on once nobody needs this any more.
    last_words: Duration,
}

impl Records {
    /// Starts the exporter. `resource` is field 1 of `ResourceLogs`.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn start(
        exit: Exit,
        settings: &LogsSettings,
        resource: &[u8],
    ) -> io::Result<Arc<Records>> {
        let last_words = exit.timeout();
        let spool = Spool::new(Signal::Logs, settings.queue, resource, SCHEMA_URL);
        export::spawn(Arc::clone(&spool), exit)?;
        let limits = Limits {
            attribute_count: settings.limits.attribute_count,
            attribute_value_length: settings.limits.attribute_value_length,
            ..Limits::default()
        };
        Ok(Arc::new(Records {
            spool,
            limits,
            last_words,
        }))
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes in a `LogRecord` of `scope` (field 1 of `ScopeLogs`).
    pub(super) fn push(&self, scope: &Arc<[u8]>, record: &[u8]) {
        self.spool.push(scope, |out| out.extend_from_slice(record));
    }

    /// What became of every record.
    pub(crate) fn counts(&self) -> SpanCounts {
        self.spool.counts()
    }

    pub(crate) fn report(&self) -> Report {
        self.spool.report()
    }

    pub(crate) async fn flush(&self) {
        self.spool.flush().await;
    }

    /// Takes no more records and sends what waits; what is not delivered within `timeout` is lost.
    pub(crate) async fn shutdown(&self, timeout: Duration) {
        self.spool.close(Instant::now() + timeout);
        // Running into the deadline is an outcome, not an error.
        let _ = tokio::time::timeout(timeout, self.spool.ended()).await;
        self.spool.give_up();
    }
}

/// The exporter goes on for a moment, then ends: nobody holds this any more.
impl Drop for Records {
    fn drop(&mut self) {
        self.spool.close(Instant::now() + self.last_words);
    }
}

//! The other end of the pipeline in tests: whole OTLP requests kept in memory.

use super::spool::Spool;
use crate::sync::lock;
use std::sync::{Arc, Mutex, MutexGuard};

/// Encoded `ExportTraceServiceRequest`s, in order of arrival.
#[derive(Debug, Default)]
pub struct Deliveries {
    requests: Mutex<Vec<Vec<u8>>>,
    /// Kept alive: a test may look for spans after the service has gone.
    spools: Mutex<Vec<Arc<Spool>>>,
    /// Of a spool one request is under way at a time.
    turn: Mutex<()>,
}

impl Deliveries {
    pub(crate) fn attach(&self, spool: &Arc<Spool>) {
        lock(&self.spools).push(Arc::clone(spool));
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        lock(&self.turn)
    }

    pub(super) fn deliver(&self, request: Vec<u8>) {
        lock(&self.requests).push(request);
    }

    /// Every request delivered so far, after what the pipelines still held was sent.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        for spool in &*lock(&self.spools) {
            spool.deliver_to(self);
        }
        lock(&self.requests).clone()
    }
}

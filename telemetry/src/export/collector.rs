//! The other end of the pipeline in tests: whole OTLP requests kept in memory.

use super::spool::Spool;
use crate::sync::lock;
use std::sync::{Arc, Mutex, Weak};

/// Encoded `ExportTraceServiceRequest`s, in order of arrival.
#[derive(Debug, Default)]
pub struct Deliveries {
    requests: Mutex<Vec<Vec<u8>>>,
    spools: Mutex<Vec<Weak<Spool>>>,
}

impl Deliveries {
    pub(crate) fn attach(&self, spool: &Arc<Spool>) {
        let mut spools = lock(&self.spools);
        spools.retain(|spool| spool.strong_count() > 0);
        spools.push(Arc::downgrade(spool));
    }

    pub(super) fn deliver(&self, request: Vec<u8>) {
        lock(&self.requests).push(request);
    }

    /// Every request delivered so far, after what the pipelines still held was sent.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        let spools: Vec<_> = lock(&self.spools)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for spool in spools {
            spool.deliver_to(self);
        }
        lock(&self.requests).clone()
    }
}

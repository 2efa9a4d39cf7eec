//! Traces in memory, never more bytes of them than the limit.
//!
//! A trace's spans lie together; the oldest trace (by its first span's arrival) is evicted
//! whole when room is needed, and counted. The limit covers everything the store holds: spans'
//! bytes, rows, names, indexes, and the slack of its buffers. The store decodes nothing: it
//! keeps what the walk found and hands out the bytes.

mod find;
mod ids;
mod names;
mod origins;
mod postings;
mod slab;
mod state;
mod trace;
mod zones;

pub(crate) use find::{Filter, Found};
pub(crate) use ids::{SpanId, TraceId};
pub(crate) use trace::{OriginBytes, Snapshot, SpanHead, SpanRow, StoredSpan, Trace};

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use state::State;

/// The store, shared by the receivers that fill it and the queries that read it.
#[derive(Debug)]
pub(crate) struct Store {
    state: RwLock<State>,
}

/// What the store holds and what it has let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stats {
    pub bytes: usize,
    pub limit: usize,
    pub traces: usize,
    pub spans: usize,
    pub evicted_traces: u64,
    pub evicted_spans: u64,
    /// When the oldest trace kept began to come in, nanoseconds since 1970.
    pub oldest: Option<u64>,
}

/// The fate of one [`Store::append`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Appended {
    pub accepted: usize,
    /// Spans refused because their trace would take more than its share of the store.
    pub refused: usize,
}

/// One operation of a service, with the kinds of its spans.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OperationKind {
    pub name: String,
    /// OTLP's `SpanKind`, 0 to 5.
    pub kind: u8,
}

impl Store {
    /// A store that holds at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Store {
            state: RwLock::new(State::new(limit)),
        }
    }

    /// Adds spans of one origin, evicting older traces where needed.
    pub(crate) fn append(&self, origin: &OriginBytes<'_>, spans: &[SpanHead<'_>]) -> Appended {
        self.write().append(origin, spans, now())
    }

    pub(crate) fn stats(&self) -> Stats {
        self.read().stats()
    }

    /// Names of all services, sorted.
    pub(crate) fn services(&self) -> Vec<String> {
        let mut services: Vec<_> = self.read().names.services().map(str::to_owned).collect();
        services.sort_unstable();
        services
    }

    /// Operations of a service, sorted; the same name once for each kind.
    pub(crate) fn operations(&self, service: &str) -> Vec<OperationKind> {
        let state = self.read();
        let Some(id) = state.names.service_id(service) else {
            return Vec::new();
        };
        let mut operations = Vec::new();
        for operation in state.names.operations_of(id) {
            let kinds = (0..).zip(operation.kinds).filter(|(_, count)| *count > 0);
            let name = &operation.name;
            operations.extend(kinds.map(|(kind, _)| OperationKind {
                name: name.to_string(),
                kind,
            }));
        }
        drop(state);
        operations.sort_unstable();
        operations
    }

    pub(crate) fn trace(&self, id: TraceId) -> Option<Snapshot> {
        self.read().trace(id)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests;

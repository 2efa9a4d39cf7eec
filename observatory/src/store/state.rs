//! What lies behind the store's lock: the traces, their indexes, and the sum of their bytes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::names::{Names, map_cost, shrink};
use super::origins::Origins;
use super::trace::{OriginBytes, Snapshot, SpanHead, Trace};
use super::zones::Zones;
use super::{Appended, Stats, TraceId};

/// One trace may take this part of the store, so that a runaway trace cannot empty it.
const TRACE_SHARE: usize = 8;

#[derive(Debug)]
pub(super) struct State {
    limit: usize,
    /// Traces in the order of arrival; the first one's sequence number is `first`.
    traces: VecDeque<Arc<Trace>>,
    first: u64,
    by_id: HashMap<TraceId, u64>,
    origins: Origins,
    pub(super) names: Names,
    pub(super) zones: Zones,
    /// Sum of [`Trace::cost`].
    trace_bytes: usize,
    spans: usize,
    evicted_traces: u64,
    evicted_spans: u64,
}

impl State {
    pub(super) fn new(limit: usize) -> Self {
        State {
            limit,
            traces: VecDeque::new(),
            first: 0,
            by_id: HashMap::new(),
            origins: Origins::new(),
            names: Names::new(),
            zones: Zones::default(),
            trace_bytes: 0,
            spans: 0,
            evicted_traces: 0,
            evicted_spans: 0,
        }
    }

    pub(super) fn append(
        &mut self,
        origin: &OriginBytes<'_>,
        spans: &[SpanHead<'_>],
        received: u64,
    ) -> Appended {
        let mut appended = Appended::default();
        if spans.is_empty() {
            return appended;
        }
        let most = (self.limit / TRACE_SHARE).min(u32::MAX as usize);
        // An origin or a name as large as a trace's share would be no less of a burden.
        let fits = origin.len() <= most;
        if !fits {
            appended.refused = spans.len();
            return appended;
        }
        // Held while the batch is added: eviction must not free it between two spans.
        let origin_id = self.origins.hold(origin);
        let service = self
            .origins
            .get(origin_id)
            .map(|origin| Arc::clone(&origin.service));
        if let Some(service) = service {
            for head in spans {
                let held = self.find(head.trace_id).map_or(0, |trace| trace.raw.len());
                if held + head.raw.len() > most {
                    appended.refused += 1;
                    continue;
                }
                self.make_room(head.raw.len() + size_of::<Trace>());
                self.add(&service, origin_id, head, received);
                appended.accepted += 1;
            }
        }
        self.origins.release(origin_id);
        self.make_room(0);
        appended
    }

    fn add(&mut self, service: &Arc<str>, origin: u32, head: &SpanHead<'_>, received: u64) {
        let sequence = match self.by_id.get(&head.trace_id) {
            Some(sequence) => *sequence,
            None => {
                let sequence = self.first + self.traces.len() as u64;
                let trace = Trace::new(head.trace_id, received);
                self.trace_bytes += trace.cost();
                self.traces.push_back(Arc::new(trace));
                self.by_id.insert(head.trace_id, sequence);
                sequence
            }
        };
        let name = String::from_utf8_lossy(head.name);
        let operation = self.names.add(service, &name, head.kind, sequence);
        self.origins.retain(origin);
        self.zones.widen(sequence, head.start);
        if let Some(trace) = self.traces.get_mut((sequence - self.first) as usize) {
            let before = trace.cost();
            // A reader that holds the trace keeps its own; the store goes on with a copy.
            let trace = Arc::make_mut(trace);
            trace.push(head, origin, operation);
            self.trace_bytes = self.trace_bytes + trace.cost() - before;
            self.spans += 1;
        }
    }

    /// Evicts until `more` bytes fit.
    fn make_room(&mut self, more: usize) {
        while self.bytes() + more > self.limit && self.evict_oldest() {}
    }

    fn evict_oldest(&mut self) -> bool {
        let Some(trace) = self.traces.pop_front() else {
            return false;
        };
        let sequence = self.first;
        self.first += 1;
        self.by_id.remove(&trace.id);
        for row in &trace.rows {
            self.names.remove(row.operation, row.kind, sequence);
            self.origins.release(row.origin);
        }
        self.zones.forget_before(self.first);
        self.trace_bytes -= trace.cost();
        self.spans -= trace.rows.len();
        self.evicted_traces += 1;
        self.evicted_spans += trace.rows.len() as u64;
        shrink(&mut self.by_id);
        if self.traces.len() < self.traces.capacity() / 4 {
            self.traces.shrink_to(self.traces.len() * 2);
        }
        true
    }

    fn bytes(&self) -> usize {
        self.trace_bytes
            + self.traces.capacity() * size_of::<Arc<Trace>>()
            + map_cost(&self.by_id)
            + self.origins.cost()
            + self.names.cost()
            + self.zones.cost()
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            bytes: self.bytes(),
            limit: self.limit,
            traces: self.traces.len(),
            spans: self.spans,
            evicted_traces: self.evicted_traces,
            evicted_spans: self.evicted_spans,
            oldest: self.traces.front().map(|trace| trace.received),
        }
    }

    fn find(&self, id: TraceId) -> Option<&Arc<Trace>> {
        self.at(*self.by_id.get(&id)?)
    }

    /// The trace of a sequence number, if it is kept.
    pub(super) fn at(&self, sequence: u64) -> Option<&Arc<Trace>> {
        self.traces
            .get(usize::try_from(sequence.checked_sub(self.first)?).ok()?)
    }

    /// Sequence numbers of all traces below `before`, newest first.
    pub(super) fn newest_below(&self, before: u64) -> impl Iterator<Item = u64> + use<> {
        let end = before.min(self.first + self.traces.len() as u64);
        (self.first..end).rev()
    }

    pub(super) fn trace(&self, id: TraceId) -> Option<Snapshot> {
        self.find(id).map(|trace| self.snapshot(trace))
    }

    /// Shares the trace and what its rows point to.
    pub(super) fn snapshot(&self, trace: &Arc<Trace>) -> Snapshot {
        let mut origins = BTreeMap::new();
        let mut operations = BTreeMap::new();
        let mut last = (u32::MAX, u32::MAX);
        for row in &trace.rows {
            if last == (row.origin, row.operation) {
                continue;
            }
            last = (row.origin, row.operation);
            if let Some(origin) = self.origins.get(row.origin) {
                origins
                    .entry(row.origin)
                    .or_insert_with(|| Arc::clone(origin));
            }
            if let Some(operation) = self.names.operation(row.operation) {
                operations
                    .entry(row.operation)
                    .or_insert_with(|| Arc::clone(&operation.name));
            }
        }
        Snapshot {
            trace: Arc::clone(trace),
            origins,
            operations,
        }
    }
}

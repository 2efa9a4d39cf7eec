//! Search: newest traces first, a bounded piece of work under each hold of the lock.

use std::collections::VecDeque;

use super::state::State;
use super::{Snapshot, SpanRow, Store, StoredSpan, Trace};

/// Rows looked at before the lock is given back to the receivers.
const ROWS_A_HOLD: usize = 16_384;
/// Traces collected before their attributes are looked at, without the lock.
const TRACES_A_HOLD: usize = 64;

/// What one span must be for its trace to be found. All of it must hold for the same span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Any service when absent.
    pub service: Option<String>,
    /// Exact name of the operation.
    pub operation: Option<String>,
    /// Bounds of the span's start, inclusive, nanoseconds since 1970.
    pub start: (u64, u64),
    /// Bounds of the span's duration, inclusive, nanoseconds.
    pub duration: (u64, u64),
    /// OTLP's `SpanKind`.
    pub kind: Option<u8>,
    /// OTLP's `StatusCode`.
    pub status: Option<u8>,
    /// `Some(true)`: status error; `Some(false)`: any other.
    pub error: Option<bool>,
}

impl Default for Filter {
    fn default() -> Self {
        Filter {
            service: None,
            operation: None,
            start: (0, u64::MAX),
            duration: (0, u64::MAX),
            kind: None,
            status: None,
            error: None,
        }
    }
}

impl Filter {
    fn admits(&self, row: &SpanRow) -> bool {
        (self.start.0..=self.start.1).contains(&row.start)
            && (self.duration.0..=self.duration.1).contains(&row.duration())
            && self.kind.is_none_or(|kind| kind == row.kind)
            && self.status.is_none_or(|status| status == row.status)
            && self.error.is_none_or(|error| error == row.is_error())
    }
}

/// The traces of a [`Filter`], newest first, fetched piece by piece.
#[derive(Debug)]
pub(crate) struct Found<'s> {
    store: &'s Store,
    filter: Filter,
    /// Sequence number below which the next piece begins; `None` at the end.
    before: Option<u64>,
    ready: VecDeque<(Snapshot, Vec<u32>)>,
}

impl Store {
    /// Traces of which a span passes the filter, newest first. Each is looked at as it is when
    /// its turn comes.
    pub(crate) fn find(&self, filter: Filter) -> Found<'_> {
        Found {
            store: self,
            filter,
            before: Some(u64::MAX),
            ready: VecDeque::new(),
        }
    }
}

impl Found<'_> {
    /// The next trace of which a span that passes the filter also passes `test`.
    pub(crate) fn next_where(&mut self, test: impl Fn(StoredSpan<'_>) -> bool) -> Option<Snapshot> {
        loop {
            while let Some((snapshot, rows)) = self.ready.pop_front() {
                let mut spans = rows.iter().filter_map(|row| snapshot.span(*row as usize));
                if spans.any(&test) {
                    return Some(snapshot);
                }
            }
            self.before = self
                .store
                .read()
                .piece(&self.filter, self.before?, &mut self.ready);
        }
    }
}

/// Whose rows are looked at.
enum Of {
    Anyone,
    Service(u32),
    Operations(Vec<u32>),
}

impl State {
    /// Collects some traces below `before`; returns where to go on.
    fn piece(
        &self,
        filter: &Filter,
        before: u64,
        ready: &mut VecDeque<(Snapshot, Vec<u32>)>,
    ) -> Option<u64> {
        let of = self.whose(filter)?;
        let sequences: Box<dyn Iterator<Item = u64> + '_> = match &of {
            Of::Operations(ids) if ids.len() == 1 => {
                Box::new(self.names.operation(ids[0])?.traces.newest_below(before))
            }
            Of::Service(id) => Box::new(self.names.service(*id)?.traces.newest_below(before)),
            Of::Operations(_) | Of::Anyone => Box::new(self.newest_below(before)),
        };
        let mut looked_at = 0;
        for sequence in sequences {
            looked_at += 1;
            let (from, to) = filter.start;
            if self.zones.may_hold(sequence, from, to)
                && let Some(trace) = self.at(sequence)
                && trace.first_start <= to
                && from <= trace.last_start
            {
                looked_at += trace.rows.len();
                let rows = self.rows(trace, filter, &of);
                if !rows.is_empty() {
                    ready.push_back((self.snapshot(trace), rows));
                }
            }
            if looked_at >= ROWS_A_HOLD || ready.len() >= TRACES_A_HOLD {
                return Some(sequence);
            }
        }
        None
    }

    /// `None`: nothing can match.
    fn whose(&self, filter: &Filter) -> Option<Of> {
        Some(match (&filter.service, &filter.operation) {
            (None, None) => Of::Anyone,
            (Some(service), None) => Of::Service(self.names.service_id(service)?),
            (Some(service), Some(operation)) => {
                let service = self.names.service_id(service)?;
                Of::Operations(vec![self.names.operation_id(service, operation)?])
            }
            (None, Some(operation)) => {
                let mut ids = self.names.operations_named(operation);
                ids.sort_unstable();
                if ids.is_empty() {
                    return None;
                }
                Of::Operations(ids)
            }
        })
    }

    fn rows(&self, trace: &Trace, filter: &Filter, of: &Of) -> Vec<u32> {
        let belongs = |row: &SpanRow| match of {
            Of::Anyone => true,
            Of::Operations(ids) => ids.binary_search(&row.operation).is_ok(),
            Of::Service(id) => self
                .names
                .operation(row.operation)
                .is_some_and(|found| found.service == *id),
        };
        let rows = (0..).zip(&trace.rows);
        rows.filter(|(_, row)| filter.admits(row) && belongs(row))
            .map(|(index, _)| index)
            .collect()
    }
}

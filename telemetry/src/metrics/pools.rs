//! Pools of connections, by the
//! [conventions for database clients](https://opentelemetry.io/docs/specs/semconv/db/database-metrics/#connection-pools).

use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use super::family::{Description, Family, Kind, LabelValue, Labels, Snapshot};
use super::work::{Counter, Histogram};
use crate::sync::lock;

const POOL: &[&str] = &["db.client.connection.pool.name"];

/// A pool of connections at one instant. What is `None` the pool does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolState {
    /// Open connections that nobody uses.
    pub idle: u64,
    /// Open connections in use.
    pub used: u64,
    /// The most connections that may be open.
    pub max: Option<u64>,
    /// The most connections that may be idle.
    pub idle_max: Option<u64>,
    /// How many connections are kept, even when idle.
    pub idle_min: Option<u64>,
    /// Who waits for a connection right now.
    pub pending_requests: Option<u64>,
}

type Ask = dyn Fn() -> PoolState + Send + Sync;

/// Every pool of one service.
pub(crate) struct Pools {
    watched: Mutex<Vec<(Arc<str>, Weak<Ask>)>>,
    pub(crate) timeouts: Counter,
    pub(crate) create_time: Histogram,
    pub(crate) wait_time: Histogram,
    pub(crate) use_time: Histogram,
}

impl Pools {
    pub(super) fn new(
        seconds: impl Fn(&'static str, &'static str, &'static [&'static str]) -> Histogram,
    ) -> Pools {
        Pools {
            watched: Mutex::default(),
            timeouts: Counter::new(
                "db.client.connection.timeouts",
                "{timeout}",
                "The number of connection timeouts that have occurred trying to obtain a \
                 connection from the pool.",
                POOL,
            ),
            create_time: seconds(
                "db.client.connection.create_time",
                "The time it took to create a new connection.",
                POOL,
            ),
            wait_time: seconds(
                "db.client.connection.wait_time",
                "The time it took to obtain an open connection from the pool.",
                POOL,
            ),
            use_time: seconds(
                "db.client.connection.use_time",
                "The time between borrowing a connection and returning it to the pool.",
                POOL,
            ),
        }
    }

    /// Asks from now on, for as long as somebody else holds `ask`.
    pub(crate) fn watch(&self, name: &Arc<str>, ask: &Arc<Ask>) {
        let mut watched = lock(&self.watched);
        watched.retain(|(_, ask)| ask.strong_count() > 0);
        watched.push((Arc::clone(name), Arc::downgrade(ask)));
        // Rare, so it is there from the beginning.
        self.timeouts
            .add(&[LabelValue::Shared(Arc::clone(name))], 0);
    }

    pub(super) fn gather(&self, all: &mut Snapshot) {
        let asked: Vec<_> = lock(&self.watched)
            .iter()
            .filter_map(|(name, ask)| Some((Arc::clone(name), ask.upgrade()?)))
            .collect();
        // A pool may have locks of its own: ours is free by now.
        let states: Vec<_> = asked.iter().map(|(name, ask)| (name, ask())).collect();
        let of_names = all.is_of_names();
        let labels = |name: &Arc<str>| Labels::none().with(POOL[0], Arc::clone(name));
        const COUNT: &str = "db.client.connection.count";
        let mut family = |name, unit, help, add: &dyn Fn(&mut Family, &Arc<str>, &PoolState)| {
            let description = Description::new(Kind::UpDownCounter, name, unit, help).observed();
            let description = match name {
                // On the page an end of `_count` is a histogram's.
                COUNT => description.page_name("db_client_connections"),
                _ => description,
            };
            let Some(family) = all.family(description) else {
                return;
            };
            for (name, state) in &states {
                add(family, name, state);
            }
        };
        if of_names || !states.is_empty() {
            let help = "The number of connections that are currently in state described by the \
                        `state` attribute.";
            family(COUNT, "{connection}", help, &|family, name, state| {
                for (label, count) in [("idle", state.idle), ("used", state.used)] {
                    let labels = labels(name).with("db.client.connection.state", label);
                    family.number(labels, count);
                }
            });
        }
        type Known = fn(&PoolState) -> Option<u64>;
        let known: [(_, _, _, Known); 4] = [
            (
                "db.client.connection.idle.max",
                "{connection}",
                "The maximum number of idle open connections allowed.",
                |state| state.idle_max,
            ),
            (
                "db.client.connection.idle.min",
                "{connection}",
                "The minimum number of idle open connections allowed.",
                |state| state.idle_min,
            ),
            (
                "db.client.connection.max",
                "{connection}",
                "The maximum number of open connections allowed.",
                |state| state.max,
            ),
            (
                "db.client.connection.pending_requests",
                "{request}",
                "The number of current pending requests for an open connection.",
                |state| state.pending_requests,
            ),
        ];
        for (name, unit, help, value) in known {
            if of_names || states.iter().any(|(_, state)| value(state).is_some()) {
                family(name, unit, help, &|family, name, state| {
                    if let Some(value) = value(state) {
                        family.number(labels(name), value);
                    }
                });
            }
        }
        self.timeouts.gather(all);
        for histogram in [&self.create_time, &self.wait_time, &self.use_time] {
            histogram.gather(all);
        }
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools").finish_non_exhaustive()
    }
}

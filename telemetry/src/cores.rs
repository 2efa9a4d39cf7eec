//! The process's cores by their numbers, and what each thread keeps of them.
//!
//! What axum clones for every request names its core by a number: a reference would be counted up
//! and down each time, by all threads in the same place, which takes longer than to find it in what
//! a thread remembers. What a request needs of its thread is found in the same place, at once.

use crate::core::{Alive, Core};
use crate::http::head::{HeadId, Recent};
use crate::http::server::Rested;
use crate::metrics::{ActiveCounter, HttpHalves};
use crate::sync::lock;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Names a core; never used twice in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CoreId(u64);

impl CoreId {
    pub(crate) fn next() -> CoreId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        CoreId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

static ALIVE: Mutex<Vec<Weak<Alive>>> = Mutex::new(Vec::new());

/// What a thread keeps of a core.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) core: Arc<Core>,
    /// Requests that came in and are under way.
    pub(crate) active: ActiveCounter,
    /// Of requests that came in, and of those that went out.
    pub(crate) server: RefCell<HttpHalves>,
    pub(crate) client: RefCell<HttpHalves>,
    pub(crate) rested: Rested,
    recent: Recent,
}

impl Local {
    /// Of a thread that has kept nothing yet.
    pub(crate) fn new(core: &Arc<Core>) -> Local {
        Local {
            core: Arc::clone(core),
            active: core.metrics.server.join_active(),
            server: RefCell::default(),
            client: RefCell::default(),
            rested: Rested::default(),
            recent: Recent::default(),
        }
    }

    /// The head of a route's spans.
    pub(crate) fn head(&self, route: &str) -> HeadId {
        let core = &self.core;
        self.recent.find(route, &core.heads, &core.metrics.server)
    }
}

thread_local! {
    /// Those that this thread has met.
    static KNOWN: RefCell<Vec<Local>> = const { RefCell::new(Vec::new()) };
}

/// Makes a core one that can be found.
pub(crate) fn announce(core: &Arc<Alive>) {
    let mut alive = lock(&ALIVE);
    alive.retain(|core| core.strong_count() > 0);
    alive.push(Arc::downgrade(core));
}

/// Runs `then` with what this thread keeps of a core. `None` if the core has ended before this
/// thread has met it, or the thread is going away.
#[inline]
pub(crate) fn with<R>(id: CoreId, then: impl FnOnce(&Local) -> R) -> Option<R> {
    let ran = KNOWN.try_with(|cell| {
        let mut known = cell.try_borrow().ok()?;
        let at = match known.iter().position(|local| local.core.id() == id) {
            Some(at) => at,
            None => {
                drop(known);
                let at = meet(id, cell)?;
                known = cell.try_borrow().ok()?;
                at
            }
        };
        known.get(at).map(then)
    });
    ran.ok().flatten()
}

/// Where the thread keeps what it will of a core that it has not met before.
#[cold]
fn meet(id: CoreId, known: &RefCell<Vec<Local>>) -> Option<usize> {
    let alive: Vec<Arc<Alive>> = lock(&ALIVE).iter().filter_map(Weak::upgrade).collect();
    let core = alive.iter().find(|core| core.id() == id)?;
    let mut known = known.try_borrow_mut().ok()?;
    known.retain(|known| alive.iter().any(|core| core.id() == known.core.id()));
    known.push(Local::new(core));
    Some(known.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Service, Telemetry};

    fn telemetry() -> Telemetry {
        let builder = Telemetry::builder(Service::new("test", "1"));
        builder.without_subscriber().build().unwrap()
    }

    #[test]
    fn each_is_found_on_every_thread_for_as_long_as_it_is_there() {
        let (one, two) = (telemetry(), telemetry());
        let ids = [one.core().id(), two.core().id()];
        assert_ne!(ids[0], ids[1]);
        for id in ids {
            assert_eq!(with(id, |local| local.core.id()), Some(id));
            let elsewhere = std::thread::spawn(move || with(id, |local| local.core.id()));
            assert_eq!(elsewhere.join().unwrap(), Some(id));
        }
        drop(two);
        let elsewhere = std::thread::spawn(move || ids.map(|id| with(id, |_| ()).is_some()));
        assert_eq!(elsewhere.join().unwrap(), [true, false]);
    }

    #[test]
    fn a_thread_forgets_those_that_have_ended() {
        let first = telemetry();
        with(first.core().id(), |_| ());
        let core = Arc::downgrade(&**first.core());
        drop(first);
        let second = telemetry();
        with(second.core().id(), |_| ());
        assert_eq!(core.strong_count(), 0);
    }
}

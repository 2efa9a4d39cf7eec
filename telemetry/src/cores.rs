//! The process's cores by their numbers.
//!
//! What axum clones for every request names its core by a number: a reference would be counted up
//! and down each time, by all threads in the same place, which takes longer than to find it in what
//! a thread remembers.

use crate::core::{Alive, Core};
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

thread_local! {
    /// Those that this thread has met.
    static KNOWN: RefCell<Vec<Arc<Core>>> = const { RefCell::new(Vec::new()) };
}

/// Makes a core one that can be found.
pub(crate) fn announce(core: &Arc<Alive>) {
    let mut alive = lock(&ALIVE);
    alive.retain(|core| core.strong_count() > 0);
    alive.push(Arc::downgrade(core));
}

/// Runs `then` with a core. `None` if it has ended before this thread has met it.
#[inline]
pub(crate) fn with<R>(id: CoreId, then: impl FnOnce(&Arc<Core>) -> R) -> Option<R> {
    let ran = KNOWN.try_with(|known| {
        if let Ok(known) = known.try_borrow()
            && let Some(core) = known.iter().find(|core| core.id() == id)
        {
            return Some(then(core));
        }
        meet(id, known).map(|core| then(&core))
    });
    // A thread that is going away serves no requests.
    ran.ok().flatten()
}

#[cold]
fn meet(id: CoreId, known: &RefCell<Vec<Arc<Core>>>) -> Option<Arc<Core>> {
    let alive: Vec<Arc<Alive>> = lock(&ALIVE).iter().filter_map(Weak::upgrade).collect();
    let core = alive.iter().find(|core| core.id() == id)?;
    if let Ok(mut known) = known.try_borrow_mut() {
        known.retain(|known| alive.iter().any(|core| core.id() == known.id()));
        known.push(Arc::clone(core));
    }
    Some(Arc::clone(core))
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
            assert_eq!(with(id, |core| core.id()), Some(id));
            let elsewhere = std::thread::spawn(move || with(id, |core| core.id()));
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

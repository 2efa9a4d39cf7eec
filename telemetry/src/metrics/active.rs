//! Requests in flight: a signed sum over threads.
//!
//! A request may start on one thread and end on another, so one thread's number alone
//! means nothing and may be negative; only the sum does. Each thread writes numbers of
//! its own with relaxed loads and stores, as the histograms do.

use std::cell::Cell;
use std::marker::PhantomData;

use super::atomic::{Arc, AtomicI64, AtomicU64, Mutex, Ordering, lock};
use super::labels::SCHEMES;

#[derive(Debug)]
struct Cells {
    /// One for each method and scheme.
    numbers: Box<[AtomicI64]>,
    /// One bit for each number that was ever written: only those are shown.
    used: AtomicU64,
}

/// The in-flight requests of all threads.
#[derive(Debug)]
pub(crate) struct Active {
    cells: usize,
    threads: Mutex<Threads>,
}

#[derive(Debug)]
struct Threads {
    /// Sums of dead threads.
    base: Box<[i64]>,
    base_used: u64,
    live: Vec<Arc<Cells>>,
}

impl Threads {
    fn fold_dead(&mut self) {
        let Self {
            base,
            base_used,
            live,
        } = self;
        live.retain_mut(|cells| match Arc::get_mut(cells) {
            Some(dead) => {
                for (sum, number) in base.iter_mut().zip(&dead.numbers) {
                    *sum += number.load(Ordering::Relaxed);
                }
                *base_used |= dead.used.load(Ordering::Relaxed);
                false
            }
            None => true,
        });
    }
}

/// One thread's numbers; cannot be shared.
#[derive(Debug)]
pub(crate) struct ActiveCounter {
    cells: Arc<Cells>,
    not_sync: PhantomData<Cell<()>>,
}

impl ActiveCounter {
    pub(crate) fn add(&self, method: u8, scheme: u8, delta: i64) {
        let cell = cell_of(method, scheme);
        let number = &self.cells.numbers[cell];
        number.store(number.load(Ordering::Relaxed) + delta, Ordering::Relaxed);
        let used = &self.cells.used;
        used.store(used.load(Ordering::Relaxed) | 1 << cell, Ordering::Relaxed);
    }
}

impl Active {
    /// Numbers for so many methods, 32 at most.
    pub(crate) fn new(methods: usize) -> Active {
        let cells = methods * SCHEMES.len();
        debug_assert!(cells <= 64, "a bit for each");
        Active {
            cells,
            threads: Mutex::new(Threads {
                base: vec![0; cells].into(),
                base_used: 0,
                live: Vec::new(),
            }),
        }
    }

    /// Numbers for the calling thread.
    pub(crate) fn join(&self) -> ActiveCounter {
        let cells = Arc::new(Cells {
            numbers: (0..self.cells).map(|_| AtomicI64::new(0)).collect(),
            used: AtomicU64::new(0),
        });
        let mut threads = lock(&self.threads);
        threads.fold_dead();
        threads.live.push(Arc::clone(&cells));
        ActiveCounter {
            cells,
            not_sync: PhantomData,
        }
    }

    /// As [`ActiveCounter::add`], for a thread that has no numbers of its own any more.
    pub(crate) fn add_shared(&self, method: u8, scheme: u8, delta: i64) {
        let cell = cell_of(method, scheme);
        let mut threads = lock(&self.threads);
        threads.base[cell] += delta;
        threads.base_used |= 1 << cell;
    }

    /// `(method, scheme, in flight)` of every pair that was ever used. A scrape that comes
    /// between an end and the start it belongs to could see -1; it is told 0.
    pub(crate) fn snapshot(&self) -> Vec<(u8, u8, i64)> {
        let mut threads = lock(&self.threads);
        threads.fold_dead();
        let (mut sums, mut used) = (threads.base.clone(), threads.base_used);
        for cells in &threads.live {
            for (sum, number) in sums.iter_mut().zip(&cells.numbers) {
                *sum += number.load(Ordering::Relaxed);
            }
            used |= cells.used.load(Ordering::Relaxed);
        }
        sums.iter()
            .enumerate()
            .filter(|(cell, _)| used & 1 << cell != 0)
            .map(|(cell, sum)| {
                (
                    (cell / SCHEMES.len()) as u8,
                    (cell % SCHEMES.len()) as u8,
                    (*sum).max(0),
                )
            })
            .collect()
    }
}

#[cfg(test)]
impl Active {
    /// Threads whose numbers are kept apart.
    pub(super) fn threads(&self) -> usize {
        lock(&self.threads).live.len()
    }
}

fn cell_of(method: u8, scheme: u8) -> usize {
    usize::from(method) * SCHEMES.len() + usize::from(scheme)
}

//! Sums over the process's threads that the kernel keeps for each thread alone.
//!
//! A thread's numbers go when it ends, so what each has gained since the last reading is added
//! up here: the sums never fall. What a thread gains after the last reading of its life is lost.

use std::collections::HashMap;
use std::fs;

use super::proc;

/// One thread's numbers, or everyone's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Ready to run without a CPU (`Documentation/scheduler/sched-stats.rst`).
    pub(super) delay_nanos: u64,
    pub(super) voluntary: u64,
    pub(super) involuntary: u64,
}

impl Totals {
    fn each(self, other: Totals, combine: fn(u64, u64) -> u64) -> Totals {
        Totals {
            delay_nanos: combine(self.delay_nanos, other.delay_nanos),
            voluntary: combine(self.voluntary, other.voluntary),
            involuntary: combine(self.involuntary, other.involuntary),
        }
    }

    /// What a thread has gained since `before`; all of it when its number belongs to a new one.
    fn since(self, before: Totals) -> Totals {
        if self.voluntary < before.voluntary || self.delay_nanos < before.delay_nanos {
            self
        } else {
            self.each(before, u64::saturating_sub)
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Threads {
    sum: Totals,
    /// By the thread's number, as last read.
    seen: HashMap<u32, Totals>,
}

impl Threads {
    /// The sums of all threads, those that have ended included.
    pub(super) fn read(&mut self) -> Option<Totals> {
        let tasks = fs::read_dir("/proc/self/task").ok()?;
        let threads = tasks.filter_map(|task| {
            let task = task.ok()?;
            let id = task.file_name().to_str()?.parse().ok()?;
            let path = task.path();
            let status = fs::read_to_string(path.join("status")).ok()?;
            Some((
                id,
                Totals {
                    // Some kernels are built without it.
                    delay_nanos: fs::read_to_string(path.join("schedstat"))
                        .ok()
                        .and_then(|stat| run_delay(&stat))
                        .unwrap_or_default(),
                    voluntary: proc::number(&status, "voluntary_ctxt_switches:")?,
                    involuntary: proc::number(&status, "nonvoluntary_ctxt_switches:")?,
                },
            ))
        });
        self.add(threads.collect());
        Some(self.sum)
    }

    fn add(&mut self, now: HashMap<u32, Totals>) {
        for (id, totals) in &now {
            let before = self.seen.get(id).copied().unwrap_or_default();
            self.sum = self.sum.each(totals.since(before), u64::saturating_add);
        }
        self.seen = now;
    }
}

/// The second field: nanoseconds waited on a run queue.
fn run_delay(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(delay_nanos: u64) -> Totals {
        Totals {
            delay_nanos,
            voluntary: delay_nanos / 10,
            involuntary: 1,
        }
    }

    #[test]
    fn sums_do_not_fall_when_threads_end_or_numbers_come_back() {
        let mut threads = Threads::default();
        threads.add(HashMap::from([(1, of(100)), (2, of(50))]));
        assert_eq!(threads.sum.delay_nanos, 150);
        threads.add(HashMap::from([(1, of(130))]));
        assert_eq!(threads.sum.delay_nanos, 180);
        threads.add(HashMap::from([(1, of(20)), (2, of(5))]));
        assert_eq!(threads.sum.delay_nanos, 205);
        assert_eq!(threads.sum.voluntary, 13 + 5 + 2);
    }

    #[test]
    fn the_delay_is_the_second_field() {
        assert_eq!(run_delay("97034 73118 2\n"), Some(73_118));
        assert_eq!(run_delay(""), None);
    }
}

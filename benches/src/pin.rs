//! Which processor a thread runs on, so that who serves and who asks do not move about.

use std::sync::LazyLock;

use anyhow::Result;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where requests are served.
const SERVING: usize = 0;
/// Where everybody else runs: who asks, who exports and who collects.
const OTHERS: usize = 1;

/// What there was to choose from at first; none if there is no choice.
static ALLOWED: LazyLock<Option<CpuSet>> = LazyLock::new(|| {
    let allowed = sched_getaffinity(None).ok()?;
    (allowed.is_set(SERVING) && allowed.is_set(OTHERS)).then_some(allowed)
});

/// Keeps the current thread where requests are served.
pub(crate) fn serving() -> Result<()> {
    pin(None, &only(SERVING))
}

/// Keeps every thread of this process, and those that they start, away from there.
pub(crate) fn apart() -> Result<()> {
    everybody(&only(OTHERS))
}

/// Lets every thread of this process run where it could at first.
pub(crate) fn free() -> Result<()> {
    ALLOWED.as_ref().map_or(Ok(()), everybody)
}

fn only(processor: usize) -> CpuSet {
    let mut set = CpuSet::new();
    set.set(processor);
    set
}

fn everybody(set: &CpuSet) -> Result<()> {
    for task in std::fs::read_dir("/proc/self/task")? {
        let name = task?.file_name();
        let id = name.to_str().and_then(|id| id.parse().ok());
        pin(id.and_then(Pid::from_raw), set)?;
    }
    Ok(())
}

fn pin(thread: Option<Pid>, set: &CpuSet) -> Result<()> {
    if ALLOWED.is_some() {
        sched_setaffinity(thread, set)?;
    }
    Ok(())
}

//! What is known of every process at this moment; everyone who waits for the city reads it here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Where a process stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Spawned, not ready yet.
    #[default]
    Starting,
    Ready,
    /// It died and starts again after its backoff.
    Restarting,
    /// It died and restarts are off.
    Down,
    /// Stopped by `citywatch hold`.
    Held,
    Stopped,
}

/// One process of the city, as `city.json` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) service: String,
    pub(crate) replica: u32,
    pub(crate) status: Status,
    pub(crate) pid: Option<u32>,
    pub(crate) public: Option<String>,
    pub(crate) admin: Option<String>,
    pub(crate) restarts: u32,
    /// What it said last when it died.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) died: Option<String>,
    pub(crate) log: PathBuf,
}

impl Process {
    /// `catalog-2`.
    pub(crate) fn name(&self) -> String {
        name(&self.service, self.replica)
    }
}

pub(crate) fn name(service: &str, replica: u32) -> String {
    format!("{service}-{replica}")
}

pub(crate) type Processes = BTreeMap<String, Process>;

/// Shared by the supervisors, which write, and the rest, which waits.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    processes: watch::Sender<Processes>,
    /// As `city.json` has them: always a little behind.
    written: watch::Sender<Processes>,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self {
            processes: watch::Sender::new(BTreeMap::new()),
            written: watch::Sender::new(BTreeMap::new()),
        }
    }

    pub(crate) fn update(&self, name: &str, change: impl FnOnce(&mut Process)) {
        self.processes.send_if_modified(|processes| {
            let process = processes.entry(name.to_owned()).or_default();
            let before = process.clone();
            change(process);
            *process != before
        });
    }

    pub(crate) fn now(&self) -> Processes {
        self.processes.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Processes> {
        self.processes.subscribe()
    }

    /// `city.json` says this now.
    pub(crate) fn written(&self, processes: Processes) {
        self.written.send_replace(processes);
    }

    /// Waits until `holds`, at most `limit`; says whether it came to pass.
    pub(crate) async fn wait(&self, limit: Duration, holds: impl Fn(&Processes) -> bool) -> bool {
        wait(&self.processes, limit, holds).await
    }

    /// The same of what `city.json` says: whoever reads it afterwards finds it so.
    pub(crate) async fn wait_written(
        &self,
        limit: Duration,
        holds: impl Fn(&Processes) -> bool,
    ) -> bool {
        wait(&self.written, limit, holds).await
    }
}

async fn wait(
    processes: &watch::Sender<Processes>,
    limit: Duration,
    holds: impl Fn(&Processes) -> bool,
) -> bool {
    let mut processes = processes.subscribe();
    let waited = tokio::time::timeout(limit, processes.wait_for(|now| holds(now))).await;
    matches!(waited, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiters_see_the_change_they_wait_for() {
        let board = Board::new();
        let ready = |processes: &Processes| {
            processes
                .values()
                .any(|process| process.status == Status::Ready)
        };
        assert!(!board.wait(Duration::from_millis(10), ready).await);
        let waiting = board.wait(Duration::from_secs(5), ready);
        board.update("users-1", |process| process.status = Status::Ready);
        assert!(waiting.await);
    }
}

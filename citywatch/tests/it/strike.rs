//! Killing and stopping a process where it hurts, and the table of where that was done.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::faults::{kill, stop};
use super::harness::{City, signal, within};

/// How long a point may take to be passed, at most as long as a fault may be armed.
const PASSED: Duration = Duration::from_secs(60);
/// How long a process that was struck may take to be there again.
const BACK: Duration = Duration::from_secs(20);
/// The row of a process without points: it is struck whatever it does.
pub(crate) const ANY_MOMENT: &str = "(any moment)";

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hits {
    pub(crate) kill: u32,
    pub(crate) stop: u32,
}

/// By process and point.
#[derive(Debug, Default)]
pub(crate) struct Table(BTreeMap<(String, String), Hits>);

impl Table {
    pub(crate) fn at(&mut self, process: &str, point: &str) -> &mut Hits {
        let row = (process.to_owned(), point.to_owned());
        self.0.entry(row).or_default()
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Rows with fewer hits than these.
    pub(crate) fn short_of(&self, kills: u32, stops: u32) -> Vec<String> {
        let short = |hits: &Hits| hits.kill < kills || hits.stop < stops;
        let rows = self.0.iter().filter(|(_, hits)| short(hits));
        rows.map(|((process, point), hits)| format!("{process} {point}: {hits:?}"))
            .collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, row: [&dyn fmt::Display; 4]| {
            let [process, point, kill, stop] = row;
            writeln!(f, "{process:<17} {point:<32} {kill:>5} {stop:>5}")
        };
        line(f, [&"process", &"point", &"kill", &"stop"])?;
        for ((process, point), hits) in &self.0 {
            line(f, [process, point, &hits.kill, &hits.stop])?;
        }
        let sum = |count: fn(&Hits) -> u32| self.0.values().map(count).sum::<u32>();
        let rows = format!("{} points", self.0.len());
        line(
            f,
            [
                &"all",
                &rows,
                &sum(|hits| hits.kill),
                &sum(|hits| hits.stop),
            ],
        )
    }
}

/// Has one of these processes kill itself at a point; false if none of them passed it.
pub(crate) async fn killed_at(city: &City, processes: &[&str], point: &str) -> bool {
    let Some(pids) = there(city, processes).await else {
        return false;
    };
    let has_died = |(process, pid): &(&str, i32)| city.pid(process) != Some(*pid);
    let died = || pids.iter().any(has_died);
    if point == ANY_MOMENT {
        signal(pids[0].1, Signal::KILL);
    } else if !armed(city, &pids, point, &kill(), died).await {
        return false;
    }
    let died = within(PASSED, async || died()).await;
    // Whoever else was to die there lives on, unless it came to it meanwhile.
    for (process, pid) in &pids {
        if city.pid(process) == Some(*pid) {
            city.disarm(process, point).await;
        }
    }
    for (process, _) in pids.iter().copied().filter(has_died) {
        let how = city.state()["processes"][process]["died"].to_string();
        assert!(how.contains("signal 9"), "{process} at {point}: {how}");
        // At once: how long it would have waited after so many deaths is no question here.
        city.prints(&["release", process]).await;
    }
    died.is_some()
}

/// Has one of these processes stop itself at a point, and lets it stand still for so long; false if
/// none of them passed the point.
pub(crate) async fn stopped_at(
    city: &City,
    processes: &[&str],
    point: &str,
    still: Duration,
) -> bool {
    let Some(pids) = there(city, processes).await else {
        return false;
    };
    let stand = || pids.iter().any(|(_, pid)| stands_still(*pid));
    if point == ANY_MOMENT {
        signal(pids[0].1, Signal::STOP);
    } else if !armed(city, &pids, point, &stop(PASSED), stand).await {
        return false;
    }
    let stood = within(PASSED, async || stand()).await;
    for (process, pid) in &pids {
        if !stands_still(*pid) {
            city.disarm(process, point).await;
        }
    }
    if stood.is_none() {
        return false;
    }
    let since = Instant::now();
    tokio::time::sleep(still).await;
    assert!(stand(), "{processes:?} at {point}: {:?}", since.elapsed());
    for (_, pid) in pids.iter().filter(|(_, pid)| stands_still(*pid)) {
        signal(*pid, Signal::CONT);
    }
    let goes_on = within(BACK, async || !stand()).await;
    assert!(
        goes_on.is_some(),
        "{processes:?} never went on after {point}"
    );
    true
}

/// Arms a fault at each, as soon as it can be asked. One may be struck before it has answered that
/// the fault is armed.
async fn armed(
    city: &City,
    pids: &[(&str, i32)],
    point: &str,
    fault: &Value,
    struck: impl Fn() -> bool,
) -> bool {
    let arming = async {
        for (process, _) in pids {
            let armed = within(BACK, async || {
                struck() || city.arm(process, point, fault).await
            });
            if armed.await.is_none() {
                return false;
            }
        }
        true
    };
    let striking = within(BACK, async || struck());
    tokio::select! {
        armed = arming => armed,
        struck = striking => struck.is_some(),
    }
}

/// Processes with their pids, once they run.
async fn there<'a>(city: &City, processes: &[&'a str]) -> Option<Vec<(&'a str, i32)>> {
    let ready = async || {
        let state = city.state();
        let is_ready = |process: &&str| state["processes"][*process]["status"] == "ready";
        processes.iter().all(is_ready)
    };
    within(BACK, ready).await?;
    let pid = |process: &&'a str| Some((*process, city.pid(process)?));
    processes.iter().map(pid).collect()
}

fn stands_still(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('T'))
}

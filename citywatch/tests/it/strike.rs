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
            writeln!(f, "{process:<14} {point:<24} {kill:>5} {stop:>5}")
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

/// Has a process kill itself at a point; false if nobody passed it.
pub(crate) async fn killed_at(city: &City, process: &str, point: &str) -> bool {
    let Some(pid) = there(city, process).await else {
        return false;
    };
    let died = || city.pid(process) != Some(pid);
    if point == ANY_MOMENT {
        signal(pid, Signal::KILL);
    } else if !armed(city, process, point, &kill(), died).await {
        return false;
    }
    let died = within(PASSED, async || died()).await;
    if died.is_none() {
        city.disarm(process, point).await;
        return false;
    }
    let how = city.state()["processes"][process]["died"].to_string();
    assert!(how.contains("signal 9"), "{process} at {point}: {how}");
    // At once: how long it would have waited after so many deaths is no question here.
    city.prints(&["release", process]).await;
    true
}

/// Has a process stop itself at a point, and lets it stand still for so long; false if nobody
/// passed the point.
pub(crate) async fn stopped_at(city: &City, process: &str, point: &str, still: Duration) -> bool {
    let Some(pid) = there(city, process).await else {
        return false;
    };
    if point == ANY_MOMENT {
        signal(pid, Signal::STOP);
    } else if !armed(city, process, point, &stop(PASSED), || stands_still(pid)).await {
        return false;
    }
    if within(PASSED, async || stands_still(pid)).await.is_none() {
        city.disarm(process, point).await;
        return false;
    }
    let since = Instant::now();
    tokio::time::sleep(still).await;
    assert!(
        stands_still(pid),
        "{process} at {point}: {:?}",
        since.elapsed()
    );
    signal(pid, Signal::CONT);
    let goes_on = within(BACK, async || !stands_still(pid)).await;
    assert!(goes_on.is_some(), "{process} never went on after {point}");
    true
}

/// Arms a fault, as soon as the process can be asked. It may be struck before it has answered that
/// the fault is armed.
async fn armed(
    city: &City,
    process: &str,
    point: &str,
    fault: &Value,
    struck: impl Fn() -> bool,
) -> bool {
    let arming = within(BACK, async || {
        struck() || city.arm(process, point, fault).await
    });
    let striking = within(BACK, async || struck());
    tokio::select! {
        armed = arming => armed.is_some(),
        struck = striking => struck.is_some(),
    }
}

/// The pid of a process that runs, once it does.
async fn there(city: &City, process: &str) -> Option<i32> {
    let ready = async || city.state()["processes"][process]["status"] == "ready";
    within(BACK, ready).await.and_then(|_| city.pid(process))
}

fn stands_still(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('T'))
}

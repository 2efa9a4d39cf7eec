//! What the process uses, in the names that all Prometheus clients share. Read from
//! `/proc` at each scrape; where there is none, the families are absent.

use std::fs;

use super::family::{Description, Kind, Snapshot};

/// Clock ticks a second in `/proc`: `USER_HZ`, 100 on every architecture that Rust's
/// standard library runs on.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn gather(all: &mut Snapshot) {
    if let Some(stat) = Stat::read() {
        number(
            all,
            ("process_cpu_seconds", Kind::Counter),
            "Total user and system CPU time spent in seconds.",
            Some(stat.cpu_seconds),
        );
        number(
            all,
            ("process_start_time_seconds", Kind::Gauge),
            "Start time of the process since unix epoch in seconds.",
            boot_time().map(|boot| boot + stat.started_after_boot),
        );
        number(
            all,
            ("process_threads", Kind::Gauge),
            "Number of OS threads in the process.",
            Some(stat.threads),
        );
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    number(
        all,
        ("process_resident_memory_bytes", Kind::Gauge),
        "Resident memory size in bytes.",
        kilobytes(&status, "VmRSS:"),
    );
    number(
        all,
        ("process_virtual_memory_bytes", Kind::Gauge),
        "Virtual memory size in bytes.",
        kilobytes(&status, "VmSize:"),
    );
    number(
        all,
        ("process_open_fds", Kind::Gauge),
        "Number of open file descriptors.",
        // The listing itself holds one.
        fs::read_dir("/proc/self/fd")
            .ok()
            .map(|fds| fds.count().saturating_sub(1) as f64),
    );
    number(
        all,
        ("process_max_fds", Kind::Gauge),
        "Maximum number of open file descriptors.",
        fs::read_to_string("/proc/self/limits")
            .ok()
            .and_then(|limits| max_open_files(&limits)),
    );
}

fn number(
    all: &mut Snapshot,
    (name, kind): (&'static str, Kind),
    help: &'static str,
    value: Option<f64>,
) {
    if let Some(value) = value {
        all.number(Description::new(kind, name, "", help), value);
    }
}

/// The fields of `/proc/self/stat` that matter here (`man 5 proc_pid_stat`).
struct Stat {
    cpu_seconds: f64,
    threads: f64,
    /// Seconds.
    started_after_boot: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The second field is the program's name in parentheses and may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // `rest` starts with field 3, as the manual counts.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
            threads: field(20)?,
            started_after_boot: field(22)? / TICKS_PER_SECOND,
        })
    }
}

/// Seconds since the Unix epoch.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

fn kilobytes(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

fn max_open_files(limits: &str) -> Option<f64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        soft => soft.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_program_name_does_not_shift_the_fields() {
        let stat = "7 (a) R 1 (b)) S 1 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 9 0 1000 0 0";
        let stat = Stat::parse(stat).unwrap();
        assert_eq!(
            (stat.cpu_seconds, stat.threads, stat.started_after_boot),
            (2.0, 9.0, 10.0)
        );
        assert!(Stat::parse("").is_none());
    }

    #[test]
    fn memory_and_limits_are_read_in_their_units() {
        let status = "Name:\tx\nVmSize:\t   20 kB\nVmRSS:\t      12 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(12_288.0));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
        let limits = "Limit  Soft  Hard  Units\nMax open files  1024  524288  files\n";
        assert_eq!(max_open_files(limits), Some(1024.0));
    }
}

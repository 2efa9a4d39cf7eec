//! Readers of `/proc` (`man 5 proc`).

use std::fs;

/// Clock ticks a second in `/proc`: `USER_HZ`, 100 on every architecture that Rust's
/// standard library runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The fields of `/proc/self/stat` that matter here (`man 5 proc_pid_stat`).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stat {
    pub(super) user_seconds: f64,
    pub(super) system_seconds: f64,
    pub(super) threads: u64,
    pub(super) minor_faults: u64,
    pub(super) major_faults: u64,
    /// Seconds.
    pub(super) started_after_boot: f64,
}

impl Stat {
    pub(super) fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    pub(super) fn parse(stat: &str) -> Option<Self> {
        // The second field is the program's name in parentheses and may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // `rest` starts with field 3, as the manual counts.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let seconds = |number| Some(field(number)? as f64 / TICKS_PER_SECOND);
        Some(Self {
            user_seconds: seconds(14)?,
            system_seconds: seconds(15)?,
            threads: field(20)?,
            minor_faults: field(10)?,
            major_faults: field(12)?,
            started_after_boot: seconds(22)?,
        })
    }
}

/// The lines of `/proc/self/status` that matter here.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    /// CPUs that the process may run on.
    pub(super) allowed_cpus: Option<u32>,
}

impl Status {
    pub(super) fn read() -> Self {
        Self::parse(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    pub(super) fn parse(status: &str) -> Self {
        Self {
            resident_bytes: bytes(status, "VmRSS:"),
            virtual_bytes: bytes(status, "VmSize:"),
            allowed_cpus: line(status, "Cpus_allowed:").and_then(ones),
        }
    }
}

/// Bytes that reached a disk or came from one (`/proc/self/io`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Io {
    pub(super) read_bytes: u64,
    pub(super) written_bytes: u64,
}

impl Io {
    pub(super) fn read() -> Option<Self> {
        let io = fs::read_to_string("/proc/self/io").ok()?;
        Some(Self {
            read_bytes: number(&io, "read_bytes:")?,
            written_bytes: number(&io, "write_bytes:")?,
        })
    }
}

/// Seconds since the Unix epoch.
pub(super) fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    number(&stat, "btime ").map(|seconds| seconds as f64)
}

/// The machine's memory.
pub(super) fn total_memory() -> Option<u64> {
    bytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// The soft limit.
pub(super) fn max_open_files() -> Option<f64> {
    open_files(&fs::read_to_string("/proc/self/limits").ok()?)
}

pub(super) fn open_files(limits: &str) -> Option<f64> {
    match line(limits, "Max open files")?.split_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        soft => soft.parse::<u64>().ok().map(|files| files as f64),
    }
}

/// The number of the line that begins with `field`.
pub(super) fn number(text: &str, field: &str) -> Option<u64> {
    line(text, field)?.parse().ok()
}

fn bytes(text: &str, field: &str) -> Option<u64> {
    let kilobytes: u64 = line(text, field)?.strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

fn line<'t>(text: &'t str, field: &str) -> Option<&'t str> {
    let rest = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(rest.trim())
}

/// Bits that are set in a mask such as `ff,ffffffff`.
fn ones(mask: &str) -> Option<u32> {
    let words = mask.split(',').map(|word| u64::from_str_radix(word, 16));
    let set: Result<u32, _> = words.map(|word| word.map(u64::count_ones)).sum();
    set.ok().filter(|set| *set > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_program_name_does_not_shift_the_fields() {
        let stat = "7 (a) R 1 (b)) S 1 7 7 0 -1 4194304 6 0 3 0 150 50 0 0 20 0 9 0 1000 0 0";
        assert_eq!(
            Stat::parse(stat),
            Some(Stat {
                user_seconds: 1.5,
                system_seconds: 0.5,
                threads: 9,
                minor_faults: 6,
                major_faults: 3,
                started_after_boot: 10.0,
            })
        );
        assert!(Stat::parse("").is_none());
    }

    #[test]
    fn memory_and_limits_are_read_in_their_units() {
        let status =
            "Name:\tx\nVmSize:\t   20 kB\nVmRSS:\t      12 kB\nCpus_allowed:\t3,0000000f\n";
        assert_eq!(
            Status::parse(status),
            Status {
                resident_bytes: Some(12_288),
                virtual_bytes: Some(20_480),
                allowed_cpus: Some(6),
            }
        );
        assert_eq!(Status::parse("VmRSS: many kB\n"), Status::default());
        let limits = "Limit  Soft  Hard  Units\nMax open files  1024  524288  files\n";
        assert_eq!(open_files(limits), Some(1024.0));
        assert_eq!(open_files("Max open files  -1  524288  files\n"), None);
        let limits = "Max open files  unlimited  unlimited  files\n";
        assert_eq!(open_files(limits), Some(f64::INFINITY));
    }
}

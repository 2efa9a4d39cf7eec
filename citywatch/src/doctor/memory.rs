//! Memory of a process as the kernel shares it out: pages that several processes hold are split
//! between them, so that the sum over all is what the city really takes.

use std::fs;

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) processes: Vec<OfProcess>,
    pub(crate) total_bytes: u64,
    /// What the observatory's store holds; that is a budget that can be set.
    pub(crate) span_store_bytes: Option<u64>,
    pub(crate) total_without_spans_bytes: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct OfProcess {
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) pss_bytes: u64,
}

impl Memory {
    pub(crate) fn new(processes: Vec<(String, u32, u64)>, span_store_bytes: Option<u64>) -> Self {
        let processes: Vec<OfProcess> = processes
            .into_iter()
            .map(|(name, pid, pss_bytes)| OfProcess {
                name,
                pid,
                pss_bytes,
            })
            .collect();
        let total_bytes = processes.iter().map(|process| process.pss_bytes).sum();
        Self {
            processes,
            total_bytes,
            span_store_bytes,
            total_without_spans_bytes: span_store_bytes
                .map_or(total_bytes, |store| total_bytes.saturating_sub(store)),
        }
    }
}

/// Proportional set size from `/proc` (Linux 4.14 and later); none elsewhere.
pub(crate) fn pss_bytes(pid: u32) -> Option<u64> {
    parse(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

fn parse(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rollups_pss_is_read_in_bytes() {
        let rollup = "55d0-7ffc ---p 00000000 00:00 0 [rollup]\nRss:  9000 kB\nPss:            \
                      4321 kB\nPss_Anon: 4000 kB\n";
        assert_eq!(parse(rollup), Some(4321 * 1024));
        assert_eq!(parse("Rss: 1 kB\n"), None);
    }
}

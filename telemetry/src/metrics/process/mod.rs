//! What the process uses and may use. Read from `/proc` and the control groups each time
//! somebody asks; where there are none, the families are absent.
//!
//! On the page the names that all Prometheus clients share come first; in OTLP, and where
//! those have no name, those of the
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/system/process-metrics/).
//! What neither names begins with `citywatch`.

mod clock;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod limits;
mod proc;
mod threads;

use std::fs;
use std::sync::Mutex;

use self::clock::Clocks;
use self::proc::{Io, Stat, Status};
use self::threads::{Threads, Totals};
use super::family::{Audience, Description, Kind, Labels, Snapshot};
use crate::sync::lock;

/// What has to be remembered from one reading to the next.
#[derive(Debug, Default)]
pub(super) struct Process {
    clocks: Clocks,
    threads: Mutex<Threads>,
}

impl Process {
    pub(super) fn gather(&self, all: &mut Snapshot) {
        let status = Status::read();
        if let Some(stat) = Stat::read() {
            cpu(all, &stat);
            faults(all, &stat);
        }
        cpu_limit(all, &status);
        memory(all, &status);
        files(all);
        disk(all);
        if let Some(totals) = lock(&self.threads).read() {
            switches(all, &totals);
        }
        self.time(all);
    }

    fn time(&self, all: &mut Snapshot) {
        all.number(
            observed(
                Kind::Gauge,
                "citywatch.process.clock.time",
                "s",
                "The wall clock, in seconds since unix epoch: others' minus this is its skew.",
            ),
            Clocks::wall(),
        );
        all.number(
            observed(
                Kind::Gauge,
                "citywatch.process.clock.offset",
                "s",
                "How far the wall clock was set forward since the start, by the monotonic clock.",
            ),
            self.clocks.offset(),
        );
    }
}

fn cpu(all: &mut Snapshot, stat: &Stat) {
    all.number(
        observed(
            Kind::Counter,
            "process.cpu",
            "s",
            "Total user and system CPU time spent in seconds.",
        )
        .only_for(Audience::Page),
        stat.user_seconds + stat.system_seconds,
    );
    let time = observed(
        Kind::Counter,
        "process.cpu.time",
        "s",
        "Total CPU seconds broken down by different states.",
    );
    if let Some(family) = all.family(time) {
        let mode = |mode: &'static str| Labels::none().with("cpu.mode", mode);
        family.number(mode("user"), stat.user_seconds);
        family.number(mode("system"), stat.system_seconds);
    }
    all.number(
        observed(
            Kind::UpDownCounter,
            "process.thread.count",
            "{thread}",
            "Number of OS threads in the process.",
        )
        .page_name("process_threads"),
        stat.threads,
    );
    let Some(boot) = proc::boot_time() else {
        return;
    };
    let started = boot + stat.started_after_boot;
    all.number(
        observed(
            Kind::Gauge,
            "process.start_time",
            "s",
            "Start time of the process since unix epoch in seconds.",
        )
        .only_for(Audience::Page),
        started,
    );
    all.number(
        observed(
            Kind::Gauge,
            "process.uptime",
            "s",
            "The time the process has been running.",
        )
        .only_for(Audience::Otlp),
        (Clocks::wall() - started).max(0.0),
    );
}

fn cpu_limit(all: &mut Snapshot, status: &Status) {
    if let Some(limit) = limits::cpu(status.allowed_cpus) {
        all.number(
            observed(
                Kind::Gauge,
                "citywatch.process.cpu.limit",
                "{cpu}",
                "CPUs that the process can use at most: its control group's share, or those \
                 that it may run on.",
            ),
            limit,
        );
    }
}

fn memory(all: &mut Snapshot, status: &Status) {
    if let Some(resident) = status.resident_bytes {
        all.number(
            observed(
                Kind::UpDownCounter,
                "process.memory.usage",
                "By",
                "Resident memory size in bytes.",
            )
            .page_name("process_resident_memory_bytes"),
            resident,
        );
    }
    if let Some(size) = status.virtual_bytes {
        all.number(
            observed(
                Kind::UpDownCounter,
                "process.memory.virtual",
                "By",
                "Virtual memory size in bytes.",
            )
            .page_name("process_virtual_memory_bytes"),
            size,
        );
    }
    if let Some(limit) = limits::memory() {
        all.number(
            observed(
                Kind::Gauge,
                "citywatch.process.memory.limit",
                "By",
                "Memory that the process can have at most: its control group's, or the machine's.",
            ),
            limit,
        );
    }
}

fn files(all: &mut Snapshot) {
    // The listing itself holds one.
    let open = fs::read_dir("/proc/self/fd").map(|files| files.count().saturating_sub(1));
    if let Ok(open) = open {
        all.number(
            observed(
                Kind::UpDownCounter,
                "process.unix.file_descriptor.count",
                "{file_descriptor}",
                "Number of open file descriptors.",
            )
            .page_name("process_open_fds"),
            open as u64,
        );
    }
    if let Some(limit) = proc::max_open_files() {
        all.number(
            observed(
                Kind::Gauge,
                "citywatch.process.unix.file_descriptor.limit",
                "{file_descriptor}",
                "Maximum number of open file descriptors.",
            )
            .page_name("process_max_fds"),
            limit,
        );
    }
}

fn faults(all: &mut Snapshot, stat: &Stat) {
    let faults = observed(
        Kind::Counter,
        "process.paging.faults",
        "{fault}",
        "Number of page faults the process has made.",
    );
    if let Some(family) = all.family(faults) {
        let kind = |kind: &'static str| Labels::none().with("system.paging.fault.type", kind);
        family.number(kind("minor"), stat.minor_faults);
        family.number(kind("major"), stat.major_faults);
    }
}

fn switches(all: &mut Snapshot, threads: &Totals) {
    let switches = observed(
        Kind::Counter,
        "process.context_switches",
        "{context_switch}",
        "Number of times the process has been context switched.",
    );
    if let Some(family) = all.family(switches) {
        let kind = |kind: &'static str| Labels::none().with("process.context_switch.type", kind);
        family.number(kind("voluntary"), threads.voluntary);
        family.number(kind("involuntary"), threads.involuntary);
    }
    all.number(
        observed(
            Kind::Counter,
            "citywatch.process.scheduling.delay",
            "s",
            "Time that threads were ready to run and had no CPU.",
        ),
        threads.delay_nanos as f64 / 1e9,
    );
}

fn disk(all: &mut Snapshot) {
    let bytes = observed(
        Kind::Counter,
        "process.disk.io",
        "By",
        "Disk bytes transferred.",
    );
    if let Some(io) = Io::read()
        && let Some(family) = all.family(bytes)
    {
        let direction = |to: &'static str| Labels::none().with("disk.io.direction", to);
        family.number(direction("read"), io.read_bytes);
        family.number(direction("write"), io.written_bytes);
    }
}

fn observed(kind: Kind, name: &'static str, unit: &'static str, help: &'static str) -> Description {
    Description::new(kind, name, unit, help).observed()
}

//! A collector that takes connections and never answers, and spans at a steady pace.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use telemetry::settings::Queue;

use crate::handle::Worker;
use crate::subject::{Subject, Variant};
use crate::worker::{Order, Stopped};

/// Spans in a second.
pub(crate) const RATE: u64 = 20_000;
/// How long a peer may grow.
const PEER_SECONDS: u64 = 25;
/// A process that has grown by so much is stopped, before the machine is.
const GUARD: u64 = 1 << 30;
/// Beside the queue: buffers of threads, the request under way and its copy, and what the
/// allocator does not give back.
const SLACK: u64 = 4 << 20;
/// Of the shutdown, and the time that it may take.
const DEADLINE: Duration = Duration::from_secs(2);
const BACK: f64 = 2.2;

/// The growth that is allowed, in bytes: the queue's own bound and some slack.
pub(crate) fn bound() -> u64 {
    Queue::default().max_bytes as u64 + SLACK
}

/// What happened to one worker.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Soak {
    pub(crate) seconds: f64,
    pub(crate) spans: u64,
    /// The most that resident memory grew, in bytes.
    pub(crate) growth: u64,
    /// Samples at which produced was not exported + dropped + queued, or not what was made.
    pub(crate) wrong: u64,
    pub(crate) samples: u64,
    /// It was stopped because it had grown too much.
    pub(crate) stopped: bool,
}

/// The worker's side: a request a span, a bit each millisecond.
pub(crate) fn run(subject: &mut dyn Subject, seconds: u64, rate: u64) -> Result<Soak> {
    const TICK: Duration = Duration::from_millis(1);
    const SAMPLE: Duration = Duration::from_millis(250);
    let each = rate / 1_000;
    // What is made once: tables, buffers, the exporter's connection.
    subject.run(each)?;
    let mut made = each;
    let before = resident()?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let mut next = begun;
    let mut next_sample = begun;
    let mut soak = Soak {
        seconds: 0.0,
        spans: 0,
        growth: 0,
        wrong: 0,
        samples: 0,
        stopped: false,
    };
    while next < end {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        // Late or not, the pace is kept.
        next += TICK;
        subject.run(each)?;
        made += each;
        if next >= next_sample {
            next_sample += SAMPLE;
            soak.growth = soak.growth.max(resident()?.saturating_sub(before));
            soak.samples += 1;
            if let Some(counts) = subject.counts() {
                let known = counts.exported + counts.dropped + counts.queued;
                soak.wrong += u64::from(counts.produced != known || counts.produced != made);
            }
            if soak.growth > GUARD {
                soak.stopped = true;
                break;
            }
        }
    }
    soak.seconds = begun.elapsed().as_secs_f64();
    soak.spans = made;
    Ok(soak)
}

/// The process's resident memory, in bytes.
fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kib.context("no resident memory in /proc/self/status")? * 1024)
}

/// What a soak of ours came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) soak: Soak,
    pub(crate) dropped: u64,
    pub(crate) shutdown_seconds: f64,
}

impl Outcome {
    /// Every span is accounted for, at each sample and at the end. It does not depend on time.
    pub(crate) fn is_exact(&self) -> bool {
        self.soak.wrong == 0 && self.dropped == self.soak.spans
    }

    pub(crate) fn is_bounded(&self) -> bool {
        self.soak.growth <= bound()
    }

    pub(crate) fn is_back_in_time(&self) -> bool {
        self.shutdown_seconds <= BACK
    }
}

/// Soaks ours, and stops it while the collector still says nothing.
pub(crate) fn measure(variant: Variant, seconds: u64) -> Result<Outcome> {
    progress(variant, seconds)?;
    let mut worker = Worker::start_with(variant, black_hole()?)?;
    let soak: Soak = worker.tell(Order::Soak {
        seconds,
        rate: RATE,
    })?;
    let stopped: Stopped = worker.tell(Order::Stop {
        deadline_ms: DEADLINE.as_millis() as u64,
    })?;
    worker.kill()?;
    let counts = stopped.counts.context("ours counts its spans")?;
    ensure!(counts.exported == 0, "nobody has taken a span: {counts:?}");
    Ok(Outcome {
        soak,
        dropped: counts.dropped,
        shutdown_seconds: stopped.seconds,
    })
}

/// Soaks a peer, for no longer than is needed to see where it goes.
pub(crate) fn measure_peer(variant: Variant, seconds: u64) -> Result<Soak> {
    let seconds = seconds.min(PEER_SECONDS);
    progress(variant, seconds)?;
    let mut worker = Worker::start_with(variant, black_hole()?)?;
    let soak = worker.tell(Order::Soak {
        seconds,
        rate: RATE,
    })?;
    worker.kill()?;
    Ok(soak)
}

fn progress(variant: Variant, seconds: u64) -> Result<()> {
    let title = variant.title;
    writeln!(std::io::stderr(), "soaking for {seconds} s: {title}")?;
    Ok(())
}

/// Takes connections and never reads or answers.
fn black_hole() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        let held: Vec<_> = listener.incoming().collect();
        drop(held);
    });
    Ok(address)
}

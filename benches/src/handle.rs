//! The other side of a worker: starts it, tells it what to do, and checks what it leaves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

use crate::sink::Sink;
use crate::subject::{Variant, What};
use crate::worker::{ANSWER, Order, Round, SLICES, Stopped};

/// So that no burst overflows the SDK's queue: what it drops, it would not have to encode.
const SDK_QUEUE: (&str, &str) = ("OTEL_BSP_MAX_QUEUE_SIZE", "65536");

/// The share of its spans that a peer may lose under bursts and still be compared.
pub(crate) const MAY_LOSE: f64 = 0.1;

/// A worker under way.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) variant: Variant,
    child: Child,
    stdin: ChildStdin,
    stderr: BufReader<ChildStderr>,
    lines: Option<JoinHandle<u64>>,
    sink: Option<Sink>,
    /// What it was told to do, in all and in how many runs.
    made: u64,
    runs: u64,
}

impl Worker {
    /// Starts one, behind the words of `wrapper` if there are any.
    pub(crate) fn start(variant: Variant, wrapper: &[String]) -> Result<Worker> {
        let sink = Sink::start()?;
        let mut worker = Worker::spawn(variant, wrapper, sink.address, &[SDK_QUEUE])?;
        worker.sink = Some(sink);
        Ok(worker)
    }

    /// Starts one that exports to an address which is not looked after here, with the settings of
    /// its pipeline as they come.
    pub(crate) fn start_with(variant: Variant, sink: SocketAddr) -> Result<Worker> {
        Worker::spawn(variant, &[], sink, &[])
    }

    fn spawn(
        variant: Variant,
        wrapper: &[String],
        sink: SocketAddr,
        variables: &[(&str, &str)],
    ) -> Result<Worker> {
        let this = std::env::current_exe()?;
        let mut command = match wrapper {
            [] => Command::new(this),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(this);
                command
            }
        };
        let counts_lines = variant.what == What::Line;
        command
            .args(["worker", variant.name, &sink.to_string()])
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(if counts_lines {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let stdin = child.stdin.take().context("the worker has no stdin")?;
        let stderr = child.stderr.take().context("the worker has no stderr")?;
        let lines = child.stdout.take().map(|out| thread::spawn(|| count(out)));
        Ok(Worker {
            variant,
            child,
            stdin,
            stderr: BufReader::new(stderr),
            lines,
            sink: None,
            made: 0,
            runs: 0,
        })
    }

    /// Tells it something and waits for the answer.
    pub(crate) fn tell<T: DeserializeOwned>(&mut self, order: Order) -> Result<T> {
        let name = self.variant.name;
        match order {
            Order::Run { times } | Order::Measured { times } => self.note(times, 1),
            Order::Round { bursts, times } => {
                let bursts = u64::from(bursts);
                self.note(times * bursts, bursts * SLICES);
            }
            _ => {}
        }
        let words = serde_json::to_string(&order)?;
        writeln!(self.stdin, "{words}").with_context(|| format!("the worker {name} has ended"))?;
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.stderr.read_line(&mut line)?;
            ensure!(read > 0, "the worker {name} ended at {order:?}");
            match line.strip_prefix(ANSWER) {
                Some(answer) => return Ok(serde_json::from_str(answer)?),
                None => std::io::stderr().write_all(line.as_bytes())?,
            }
        }
    }

    /// Notes what it did without being told here.
    pub(crate) fn note(&mut self, made: u64, runs: u64) {
        self.made += made;
        self.runs += runs;
    }

    pub(crate) fn run(&mut self, times: u64) -> Result<()> {
        self.tell(Order::Run { times })
    }

    /// Spans that have left it so far.
    pub(crate) fn arrived(&mut self) -> Result<u64> {
        self.sink.as_mut().map_or(Ok(0), Sink::spans)
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.tell(Order::Flush)
    }

    pub(crate) fn round(&mut self, bursts: u32, times: u64) -> Result<Round> {
        self.tell(Order::Round { bursts, times })
    }

    /// Ends it and tells which share of its spans has arrived: all of ours, and all lines. A peer
    /// may lose the share `may_lose`, which its row says.
    pub(crate) fn end(mut self, may_lose: f64) -> Result<f64> {
        let stopped: Stopped = self.tell(Order::Stop {
            deadline_ms: 10_000,
        })?;
        drop(self.stdin);
        let status = self.child.wait()?;
        let name = self.variant.name;
        ensure!(status.success(), "the worker {name} ended with {status}");
        let arrived = self.sink.as_mut().map_or(Ok(0), Sink::spans)?;
        if let Some(counts) = stopped.counts {
            ensure!(
                counts.exported == arrived && counts.produced == arrived,
                "{name}: {arrived} spans arrived, {counts:?}"
            );
        }
        let sampled = f64::from(self.variant.per_cent) / 100.0;
        let made = match self.variant.what {
            // And the parent of each run.
            What::Span => self.made + self.runs,
            What::Request | What::Line | What::Pass => self.made,
        };
        if sampled == 0.0 {
            ensure!(arrived == 0, "{name}: {arrived} spans arrived of none");
            return Ok(1.0);
        }
        if let Some(lines) = self.lines {
            let lines = lines.join().unwrap_or_default();
            ensure!(lines == made, "{name}: {lines} lines of {made} requests");
        }
        let expected = made as f64 * sampled;
        // A ratio is kept on average only: six standard deviations.
        let chance = 6.0 * (expected * (1.0 - sampled)).sqrt();
        let lost = if stopped.counts.is_some() {
            0.0
        } else {
            may_lose * expected
        };
        let arrived = arrived as f64;
        ensure!(
            arrived >= expected - chance - lost && arrived <= expected + chance,
            "{name}: {arrived} spans arrived of some {expected}"
        );
        Ok(arrived / expected)
    }

    /// Ends it as it is.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

fn count(mut out: impl Read) -> u64 {
    let mut lines = 0;
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = out.read(&mut chunk) {
        lines += chunk[..read].iter().filter(|&&byte| byte == b'\n').count() as u64;
    }
    lines
}

//! A process that measures one subject, told by lines on its stdin and answering on its stderr;
//! its stdout belongs to whatever the subject logs.

use std::io::{BufRead, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::thread::gettid;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pin;
use crate::request;
use crate::soak;
use crate::subject::{self, Counts, Subject};

/// Begins an answer among whatever else is written to stderr.
pub(crate) const ANSWER: &str = "answer ";
/// Between bursts, so that no exporter falls behind.
const PAUSE: Duration = Duration::from_millis(10);

/// A burst is timed in so many slices: the shorter they are, the more of them nothing else disturbs.
/// Each is still some buffers long.
pub(crate) const SLICES: u64 = 8;
/// The thread that serves, as the system numbers it.
static SERVING: OnceLock<i32> = OnceLock::new();

/// What a worker can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Does it so many times.
    Run { times: u64 },
    /// The same, for callgrind.
    Measured { times: u64 },
    /// Waits until everything has left the process.
    Flush,
    /// Measures bursts of so many with pauses between them, then flushes; answers a [`Round`].
    Round { bursts: u32, times: u64 },
    /// Puts the service behind a socket; answers its address.
    Serve,
    /// CPU time so far; answers a [`Cpu`].
    Cpu,
    /// See [`soak::run`].
    Soak { seconds: u64, rate: u64 },
    /// Stops within the deadline; answers [`Stopped`].
    Stop { deadline_ms: u64 },
}

/// CPU time for one of what was done, in nanoseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Round {
    /// On the thread that does it, in the quickest slice of a burst.
    pub(crate) thread: f64,
    /// In the whole process, exporter included, over the whole round.
    pub(crate) process: f64,
}

/// CPU time of a server so far, in nanoseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cpu {
    /// Of the thread that serves.
    pub(crate) thread: u64,
    /// Of the whole process, exporter included.
    pub(crate) process: u64,
}

/// How a subject has stopped.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Stopped {
    pub(crate) counts: Option<Counts>,
    pub(crate) seconds: f64,
}

/// Does what it is told until nobody tells it any more.
pub(crate) fn serve(name: &str, sink: &str) -> Result<()> {
    let sink: SocketAddr = sink.parse()?;
    let mut subject = subject::build(name, sink)?;
    for line in std::io::stdin().lock().lines() {
        let answer = obey(&mut *subject, serde_json::from_str(&line?)?)?;
        writeln!(std::io::stderr(), "{ANSWER}{answer}")?;
    }
    Ok(())
}

fn obey(subject: &mut dyn Subject, order: Order) -> Result<Value> {
    Ok(match order {
        Order::Run { times } => {
            subject.run(times)?;
            Value::Null
        }
        Order::Measured { times } => {
            measured(subject, times)?;
            Value::Null
        }
        Order::Flush => {
            subject.flush()?;
            Value::Null
        }
        Order::Round { bursts, times } => serde_json::to_value(round(subject, bursts, times)?)?,
        Order::Serve => serde_json::to_value(listen(subject)?)?,
        Order::Cpu => serde_json::to_value(Cpu {
            thread: serving()?,
            process: nanoseconds(ClockId::ProcessCPUTime),
        })?,
        Order::Soak { seconds, rate } => serde_json::to_value(soak::run(subject, seconds, rate)?)?,
        Order::Stop { deadline_ms } => {
            let begun = Instant::now();
            let counts = subject.stop(Duration::from_millis(deadline_ms))?;
            serde_json::to_value(Stopped {
                counts,
                seconds: begun.elapsed().as_secs_f64(),
            })?
        }
    })
}

/// Callgrind forgets what it has counted when this begins, and writes it down when this ends.
#[inline(never)]
fn measured(subject: &mut dyn Subject, times: u64) -> Result<()> {
    subject.run(times).context("while it was measured")
}

/// How callgrind names [`measured`].
pub(crate) const MEASURED: &str = concat!(module_path!(), "::measured");

fn round(subject: &mut dyn Subject, bursts: u32, times: u64) -> Result<Round> {
    let process = nanoseconds(ClockId::ProcessCPUTime);
    let mut quickest = u64::MAX;
    for _ in 0..bursts {
        for _ in 0..SLICES {
            let begun = nanoseconds(ClockId::ThreadCPUTime);
            subject.run(times / SLICES)?;
            quickest = quickest.min(nanoseconds(ClockId::ThreadCPUTime) - begun);
        }
        thread::sleep(PAUSE);
    }
    subject.flush()?;
    let process = nanoseconds(ClockId::ProcessCPUTime) - process;
    Ok(Round {
        thread: quickest as f64 / (times / SLICES) as f64,
        process: process as f64 / (times * u64::from(bursts)) as f64,
    })
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CPU time of the thread that serves, as the scheduler counts it.
fn serving() -> Result<u64> {
    let thread = SERVING.get().context("nothing serves yet")?;
    let times = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat"))?;
    let running = times.split_whitespace().next();
    Ok(running.context("an empty schedstat")?.parse()?)
}

/// One worker thread on loopback, as long as the process lives.
fn listen(subject: &dyn Subject) -> Result<SocketAddr> {
    let Some(router) = subject.router() else {
        bail!("this is no service");
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = request::runtime()?;
    pin::apart()?;
    thread::spawn(move || {
        pin::serving()?;
        SERVING.get_or_init(|| gettid().as_raw_pid());
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, router).await?;
            anyhow::Ok(())
        })
    });
    Ok(address)
}

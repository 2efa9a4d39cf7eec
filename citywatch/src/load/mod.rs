//! Shoppers at the gateway: an open loop of requests, due at times fixed beforehand.

mod mix;
mod order;
mod request;
mod schedule;
mod shop;
mod tally;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use reqwest::{Client, Url};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use mix::Mix;
pub(crate) use schedule::{parse_duration, parse_rate};
pub(crate) use tally::Report;

use crate::DataArgument;
use crate::journal::Journal;
use crate::terminal::{Screen, out, outln};
use request::Shoppers;
use schedule::{Schedule, pace};
use tally::{Outcome, Tally};

/// After the last request is sent, those in flight get this long.
const LAST_ANSWERS: Duration = Duration::from_secs(11);
/// Without a terminal a line is written this often.
const PLAIN_LINE_EVERY: u64 = 10;

/// Send shoppers through the gateway and measure what they suffer.
#[derive(Args, Debug)]
#[command(after_help = "\
Requests are due at random times (a Poisson process) that are fixed beforehand by the seed; latency \
counts from the due time, so a city that falls behind cannot hide it. Exits with 1 if any request \
was not answered as expected.")]
pub(crate) struct Arguments {
    /// Requests a second: 20/s, 1200/m
    #[arg(long, default_value = "20/s", value_parser = parse_rate)]
    rate: f64,
    /// How long: 500ms, 60s, 10m
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    duration: Duration,
    /// The same seed sends the same requests at the same times [default: random]
    #[arg(long)]
    seed: Option<u64>,
    /// The gateway [default: that of the running city, else http://127.0.0.1:8080]
    #[arg(long)]
    url: Option<String>,
    /// Most requests in flight at once; one more counts as an error
    #[arg(long, default_value_t = IN_FLIGHT)]
    in_flight: usize,
    /// Whom to send
    #[arg(long, value_enum, default_value_t)]
    mix: Mix,
    /// Where orders are written down for `citywatch ledger` [default: in the data folder]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// How long to wait for the end of orders that are still under way
    #[arg(long, default_value = "30s", value_parser = parse_duration)]
    settle: Duration,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArgument,
}

pub(crate) const IN_FLIGHT: usize = 512;

/// A run of shoppers.
pub(crate) struct Load {
    pub(crate) base: Url,
    pub(crate) per_second: f64,
    pub(crate) mix: Mix,
    pub(crate) seed: u64,
    /// None: until stopped.
    pub(crate) duration: Option<Duration>,
    pub(crate) in_flight: usize,
    /// None: orders are written down nowhere.
    pub(crate) journal: Option<Journal>,
    /// For orders that are under way when the sending is over.
    pub(crate) settle: Duration,
}

pub(crate) async fn command(arguments: Arguments) -> Result<ExitCode> {
    let data = arguments.data.dir()?;
    let url = match arguments.url {
        Some(url) => url,
        None => crate::city::address(&data, "gateway", "http://127.0.0.1:8080")?,
    };
    let journal = match arguments.journal {
        Some(path) => Some(Journal::open(&path)?),
        // A city that runs elsewhere has its folder elsewhere.
        None if !data.path().is_dir() => None,
        None => Some(Journal::open(&data.order_journal())?),
    };
    let load = Load {
        base: parse_base(&url)?,
        per_second: arguments.rate,
        mix: arguments.mix,
        seed: arguments.seed.unwrap_or_else(rand::random),
        duration: Some(arguments.duration),
        in_flight: arguments.in_flight,
        journal,
        settle: arguments.settle,
    };
    let screen = Screen::new();
    if let Some(journal) = &load.journal {
        screen.note(&format!(
            "orders are written down in {}",
            journal.path().display()
        ));
    }
    screen.note(&format!(
        "{:.1} requests/s at {url} for {:?}, seed {}",
        load.per_second, arguments.duration, load.seed
    ));
    let stop = CancellationToken::new();
    let on_interrupt = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            on_interrupt.cancel();
        }
    });
    let report = run(load, &screen, true, stop).await?;
    if arguments.json {
        outln!("{}", serde_json::to_string(&report)?);
    } else {
        out!("{report}");
    }
    if report.requests > 0 && report.requests == report.errors {
        screen.note("nothing was answered as expected: is the city up? `citywatch doctor` says");
    }
    Ok(if report.errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

pub(crate) fn parse_base(url: &str) -> Result<Url> {
    let base: Url = url.parse().with_context(|| format!("--url {url}"))?;
    if base.scheme() != "http" {
        bail!("--url {url}: the gateway speaks http, like http://127.0.0.1:8080");
    }
    Ok(base)
}

/// Sends until the duration is over or `stop` fires, then waits for the last answers.
pub(crate) async fn run(
    load: Load,
    screen: &Screen,
    plain_lines: bool,
    stop: CancellationToken,
) -> Result<Report> {
    let client = Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(load.in_flight)
        .build()
        .context("make an HTTP client")?;
    let shoppers = Arc::new(Shoppers {
        client,
        base: load.base,
        run: format!("{:08x}", rand::random::<u32>()),
        shop: Mutex::default(),
        journal: load.journal,
        orders: Mutex::default(),
    });
    let tally = Arc::new(Mutex::new(Tally::default()));
    let start = Instant::now();
    let (stop_pacing, pacing_stopped) = std::sync::mpsc::channel();
    let (sender, mut arrivals) = mpsc::channel(1024);
    let schedule = Schedule::new(load.seed, load.mix, load.per_second, load.duration);
    let pacer = std::thread::Builder::new()
        .name("pacer".to_owned())
        .spawn(move || pace(schedule, start, &pacing_stopped, &sender))
        .context("start the pacing thread")?;
    let places = Arc::new(Semaphore::new(load.in_flight));
    let under_way = TaskTracker::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.tick().await;
    let mut seconds = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            arrival = arrivals.recv() => {
                let Some(arrival) = arrival else { break };
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    lock(&tally).add(arrival.kind, Duration::ZERO, Outcome::NotSent);
                    continue;
                };
                let (shoppers, tally) = (Arc::clone(&shoppers), Arc::clone(&tally));
                under_way.spawn(async move {
                    let (kind, outcome) = shoppers.serve(arrival).await;
                    lock(&tally).add(kind, start.elapsed().saturating_sub(arrival.due), outcome);
                    drop(place);
                });
            }
            _ = second.tick() => {
                seconds += 1;
                let line = lock(&tally).live(start.elapsed(), load.per_second);
                if screen.is_terminal() {
                    screen.live(&line);
                } else if plain_lines && seconds % PLAIN_LINE_EVERY == 0 {
                    screen.note(&line);
                }
            }
        }
    }
    let elapsed = start.elapsed();
    drop(stop_pacing);
    arrivals.close();
    under_way.close();
    // Each gives up by itself before that, so none is left uncounted.
    let _ = tokio::time::timeout(LAST_ANSWERS, under_way.wait()).await;
    // It has seen its channels close; a panic there would have ended the arrivals.
    let _ = pacer.join();
    shoppers.settle(load.settle).await;
    screen.clear();
    let orders = shoppers.order_counts();
    let report = lock(&tally).report(load.seed, load.per_second, elapsed, orders);
    Ok(report)
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

//! How fast recommendations are built anew from all events, beside the rate at which they come.

use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::json;
use testing::{Process, Running, Town};

use super::producer::Producer;
use super::{progress, reached, reported, tell};
use crate::section::Section;
use crate::stats::Series;
use crate::table::{Table, thousands};

const FEED: &str = "orders";
const EVENTS: u64 = 100_000;
/// Both rates are taken this often: a rebuild's in each part of it.
const PARTS: u64 = 10;
/// Events that come live in one part.
const LIVE: u64 = 300;
/// What a rebuild may take of memory beyond what is in use, and still be flat.
const FLAT_MIB: f64 = 16.0;

pub(crate) async fn measure() -> Result<Section> {
    let town = Town::new();
    let patient = json!({ "request_timeout_ms": 600_000, "events_retention_mib": 1024 });
    let producer = town.start::<Producer>(patient).await;
    let program = std::env::current_exe()?.with_file_name("citywatch-recommendations");
    let program = program.to_str().context("a path in UTF-8")?;
    let settings = json!({ "instances": { "orders": [producer.address()] } });
    let command = town.command_of("recommendations", program, &settings);
    let consumer = Process::start(command).await;
    let operator = town.operator_token();

    let begun = Instant::now();
    let stored = EVENTS - PARTS * LIVE;
    let order = json!({ "events": stored, "at_once": 100, "writers": 1 });
    let end = tell(&producer, "many", order).await?;
    reached(&consumer, operator, FEED, end).await?;
    let behind = stored as f64 / begun.elapsed().as_secs_f64();

    let mut live = Vec::new();
    for _ in 0..PARTS {
        live.push(as_they_come(&producer, &consumer, operator).await?);
    }
    let (whole, parts, growth) = rebuild(&consumer, operator).await?;
    consumer.stop().await;
    producer.stop().await;
    let live = Series(live);
    let times = parts.with(&live, |rebuilt, live| rebuilt / live);
    let mut table = Table::new(&["events a second", "seen", "median (quartiles)"]);
    let mut row = |what: &str, seen: f64, spread: String| {
        table.row([what.to_owned(), thousands(seen), spread]);
    };
    row("behind, written by the hundred", behind, String::new());
    row(
        "live, a transaction each",
        live.quantile(0.5),
        live.spread(0),
    );
    row("rebuild of 100,000, in ten parts", whole, parts.spread(0));
    let seen = whole / live.quantile(0.5);
    let bars = vec![
        reported("rebuild / live", ">= 10x", seen, 1, &times, seen >= 10.0),
        reported(
            "RSS growth during a rebuild, MiB, most",
            &format!("<= {FLAT_MIB}"),
            growth.quantile(1.0),
            1,
            &growth,
            growth.quantile(1.0) <= FLAT_MIB,
        ),
    ];
    Ok(Section {
        title: "Rebuild of recommendations from 100,000 events",
        table,
        bars,
    })
}

/// Events a second, from the first one's transaction to the last one's effect.
async fn as_they_come(producer: &Running, consumer: &Process, operator: &str) -> Result<f64> {
    let begun = Instant::now();
    let order = json!({ "events": LIVE, "at_once": 1, "writers": 1 });
    let end = tell(producer, "many", order).await?;
    reached(consumer, operator, FEED, end).await?;
    Ok(LIVE as f64 / begun.elapsed().as_secs_f64())
}

/// Events a second of a rebuild, the same in each part of it, and how many MiB the service has
/// beyond what it had, at the end of each.
async fn rebuild(consumer: &Process, operator: &str) -> Result<(f64, Series, Series)> {
    let before = resident(consumer)?;
    let begun = Instant::now();
    let url = format!("{}/inner/v1/events/feeds/{FEED}/rebuild", consumer.url);
    let request = consumer.http.post(url).bearer_auth(operator);
    request.send().await?.error_for_status()?;
    let (mut rates, mut grown) = (Vec::new(), Vec::new());
    let (mut since, mut from) = (begun, 0);
    for part in 1..=PARTS {
        let end = i64::try_from(EVENTS * part / PARTS)?;
        reached(consumer, operator, FEED, end).await?;
        let at = progress(consumer, operator, FEED).await?.0;
        rates.push((at - from) as f64 / since.elapsed().as_secs_f64());
        grown.push(resident(consumer)? - before);
        (since, from) = (Instant::now(), at);
    }
    let whole = EVENTS as f64 / begun.elapsed().as_secs_f64();
    Ok((whole, Series(rates), Series(grown)))
}

/// What a process has in memory, in MiB.
fn resident(process: &Process) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = kib.context("no VmRSS")?.parse()?;
    Ok(kib / 1024.0)
}

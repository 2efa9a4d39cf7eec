//! How soon an event has its effect where nothing else goes on.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde_json::json;
use testing::{Process, Town};

use super::effects::Effects;
use super::producer::Producer;
use super::{EFFECTS, reported, tell};
use crate::section::Section;
use crate::stats::Series;
use crate::table::Table;

const REPETITIONS: usize = 5;
const EVENTS: u64 = 120;
const GAP_MS: u64 = 50;

pub(crate) async fn measure() -> Result<Section> {
    let town = Town::new();
    let patient = json!({ "request_timeout_ms": 600_000 });
    let producer = town.start::<Producer>(patient).await;
    let this = std::env::current_exe()?;
    let this = this.to_str().context("a path in UTF-8")?;
    let settings = json!({ "instances": { "orders": [producer.address()] } });
    let mut command = town.command::<Effects>(this, &settings);
    command.env(EFFECTS, "1");
    let consumer = Process::start(command).await;

    // Connections are made, pages are in memory.
    once(&producer, &consumer, 20).await?;
    let mut table = Table::new(&["repetition", "events", "p50 ms", "p99 ms", "most ms"]);
    let (mut all, mut halves, mut tails) = (Vec::new(), Vec::new(), Vec::new());
    for repetition in 1..=REPETITIONS {
        let waits = once(&producer, &consumer, EVENTS).await?;
        let (half, tail) = (waits.quantile(0.5), waits.quantile(0.99));
        let figures = [half, tail, waits.quantile(1.0)].map(|ms| format!("{ms:.2}"));
        let head = [repetition.to_string(), waits.0.len().to_string()];
        table.row(head.into_iter().chain(figures));
        halves.push(half);
        tails.push(tail);
        all.extend(waits.0);
    }
    let all = Series(all);
    let (half, tail) = (all.quantile(0.5), all.quantile(0.99));
    let bars = vec![
        reported(
            "commit to effect, idle, p50 ms",
            "<= 10",
            half,
            2,
            &Series(halves),
            half <= 10.0,
        ),
        reported(
            "the same, p99 ms",
            "<= 150",
            tail,
            2,
            &Series(tails),
            tail <= 150.0,
        ),
    ];
    consumer.stop().await;
    producer.stop().await;
    Ok(Section {
        title: "Commit to effect, across two processes",
        table,
        bars,
    })
}

/// Milliseconds from commit to effect, of each event.
async fn once(producer: &testing::Running, consumer: &Process, events: u64) -> Result<Series> {
    let order = json!({ "events": events, "gap_ms": GAP_MS });
    let committed: Vec<(String, i64)> = tell(producer, "one-by-one", order).await?;
    loop {
        let request = consumer.http.get(format!("{}/effects", consumer.url));
        let seen: HashMap<String, i64> = request
            .send()
            .await?
            .json::<Vec<(String, i64)>>()
            .await?
            .into_iter()
            .collect();
        let waits: Vec<f64> = committed
            .iter()
            .filter_map(|(subject, at)| Some((seen.get(subject)? - at) as f64 / 1_000.0))
            .collect();
        if waits.len() == committed.len() {
            return Ok(Series(waits));
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

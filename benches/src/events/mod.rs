//! What events cost whoever publishes them, how soon they have their effect, and how fast what was
//! built from them is built anew: with the real chassis, stores on disk, and a process on each side.

mod confirming;
mod effects;
mod producer;
mod rebuild;
mod soon;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;
use testing::{Process, Running};

use crate::report;
use crate::section::{Bar, Section, bars_table};
use crate::stats::Series;

pub(crate) use effects::serve;

const METHOD: &str = include_str!("method.md");
const RESULTS: &str = "benches/EVENTS.md";

/// Says of a process that it is the consumer's side.
pub(crate) const EFFECTS: &str = "CITYWATCH_BENCH_EFFECTS";

/// Measures all of it, prints it, and writes the page.
pub(crate) fn measure() -> Result<bool> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut sections = Vec::new();
    let mut done = |section: Result<Section>| {
        let section = section?;
        let holds = report::part(Ok(section.clone()))?;
        sections.push(section);
        Ok::<_, anyhow::Error>(holds)
    };
    let mut holds = done(runtime.block_on(soon::measure()))?;
    holds &= done(runtime.block_on(confirming::measure()))?;
    holds &= done(runtime.block_on(rebuild::measure()))?;
    let bars: Vec<Bar> = sections.iter().flat_map(|s| s.bars.clone()).collect();
    let mut page = METHOD.replace("{bars}", bars_table(&bars).markdown().trim_end());
    for section in &sections {
        page += &format!("\n## {}\n\n{}", section.title, section.table.markdown());
    }
    std::fs::write(Path::new(RESULTS), page).with_context(|| format!("cannot write {RESULTS}"))?;
    Ok(holds)
}

/// Tells a producer to do something, and waits until it is done.
async fn tell<T: DeserializeOwned>(producer: &Running, what: &str, order: Value) -> Result<T> {
    let request = producer.http.post(format!("{}/{what}", producer.url));
    let answer = request.json(&order).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "{what}: {status}: {text}");
    Ok(serde_json::from_str(&text)?)
}

/// How far a consumer is in a feed, and how far the feed is.
async fn progress(consumer: &Process, operator: &str, feed: &str) -> Result<(i64, i64)> {
    let request = consumer
        .http
        .get(format!("{}/inner/v1/events", consumer.url));
    let answer = request.bearer_auth(operator).send().await?;
    let overview: Value = answer.error_for_status()?.json().await?;
    let consumers = overview["consumers"].as_array();
    let followed = consumers
        .into_iter()
        .flatten()
        .find(|followed| followed["feed"] == feed)
        .with_context(|| format!("it does not follow {feed}: {overview}"))?;
    ensure!(
        followed["dead"] == 0 && followed["retrying"] == 0,
        "it fails: {followed}"
    );
    let number = |key: &str| followed[key].as_i64().context("a number");
    Ok((number("position")?, number("head")?))
}

/// Returns when the consumer is at this position.
async fn reached(consumer: &Process, operator: &str, feed: &str, position: i64) -> Result<()> {
    while progress(consumer, operator, feed).await?.0 < position {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// A bar for a figure that depends on time: it is reported, never asserted.
fn reported(figure: &str, bar: &str, seen: f64, digits: usize, spread: &Series, met: bool) -> Bar {
    Bar {
        figure: figure.to_owned(),
        bar: bar.to_owned(),
        seen: format!("{seen:.digits$}"),
        spread: spread.spread(digits),
        met,
        asserted: false,
    }
}

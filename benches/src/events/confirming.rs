//! What an event in the outbox costs the transaction that it is written in.

use anyhow::Result;
use serde_json::json;
use testing::{Running, Town};

use super::producer::Producer;
use super::{reported, tell};
use crate::section::Section;
use crate::stats::Series;
use crate::table::Table;

const ROUNDS: usize = 15;
const ORDERS: u64 = 400;
const WRITERS: u64 = 8;

pub(crate) async fn measure() -> Result<Section> {
    let patient = json!({ "request_timeout_ms": 600_000 });
    let producer = Town::new().start::<Producer>(patient).await;
    // Pages are in memory, the log has its size.
    for tells in [false, true] {
        rate(&producer, tells).await?;
    }
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for turn in [round % 2 == 0, round % 2 != 0] {
            let rate = rate(&producer, turn).await?;
            if turn { &mut with } else { &mut without }.push(rate);
        }
    }
    producer.stop().await;
    let (with, without) = (Series(with), Series(without));
    let ratio = with.with(&without, |with, without| with / without);
    let mut table = Table::new(&["transactions a second", "median (quartiles)"]);
    table.row(["without an event".to_owned(), without.spread(0)]);
    table.row(["with an event in the outbox".to_owned(), with.spread(0)]);
    let seen = ratio.quantile(0.5);
    let bars = vec![reported(
        "orders' confirming transaction, with outbox / without",
        ">= 0.7x",
        seen,
        2,
        &ratio,
        seen >= 0.7,
    )];
    Ok(Section {
        title: "The confirming transaction of orders",
        table,
        bars,
    })
}

async fn rate(producer: &Running, tells: bool) -> Result<f64> {
    let order = json!({ "orders": ORDERS, "writers": WRITERS, "tells": tells });
    let seconds: f64 = tell(producer, "confirm", order).await?;
    Ok(ORDERS as f64 / seconds)
}

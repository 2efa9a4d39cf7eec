//! A consumer that is away while its producers are at work: nothing is lost, and how far it is
//! behind is told as it is.

use serde_json::{Value, json};

use super::super::harness::{City, within};
use super::FOLLOWS;

/// How long it is away; 60 s by this variable.
const AWAY: &str = "CITYWATCH_TEST_AWAY_SECONDS";

const PROCESS: &str = "notifications-1";
const FEED: &str = "feed=\"orders\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_was_stopped_under_load_loses_nothing() {
    let seconds: u64 = std::env::var(AWAY).map_or(4, |seconds| seconds.parse().unwrap());
    let city = City::raise(&["--faults"], &[]).await;
    its_lag_is_told_while_it_lives(&city).await;

    let before = city.standing("notifications", "orders").await;
    let handled = city
        .metric(PROCESS, "citywatch_events_queue_seconds_count", FEED)
        .await;
    println!("{handled} events of orders taken, then away for {seconds} s");
    city.prints(&["hold", "notifications"]).await;
    shop(&city, seconds, 11).await;
    let missed = head(&city, "orders").await - before["position"].as_i64().unwrap();
    assert!(missed > 10, "{missed}");
    city.prints(&["release", "notifications"]).await;
    let (mut most_events, mut most_seconds) = (0.0, 0.0);
    let drained = within(FOLLOWS, async || {
        let events = city
            .metric(PROCESS, "citywatch_events_lag_events", FEED)
            .await;
        let age = city
            .metric(PROCESS, "citywatch_events_lag_seconds", FEED)
            .await;
        most_events = f64::max(most_events, events);
        most_seconds = f64::max(most_seconds, age);
        let taken = city
            .metric(PROCESS, "citywatch_events_queue_seconds_count", FEED)
            .await;
        let all = format!("{taken:.0}").parse::<i64>().unwrap() >= missed;
        all && events == 0.0 && age == 0.0
    });
    let drained = drained.await;
    assert!(
        drained.is_some(),
        "{:#}\n{}",
        city.standings().await,
        city.said()
    );
    println!(
        "{missed} events drained in {:.1} s; seen on the way: {most_events} events behind, \
         the oldest {most_seconds:.1} s old",
        drained.unwrap_or_default().as_secs_f64()
    );
    // The time in the queue is the consumer's, not the producer's: it waited for somebody who was
    // away.
    let waited = city
        .metric(PROCESS, "citywatch_events_queue_seconds_sum", FEED)
        .await;
    assert!(waited > 1.0, "{waited}");
    let ledger = city.ledger(&["--wait", "60s"]).await;
    city.assert_clean(&ledger);
    assert_eq!(ledger.1["counts"]["behind"], 0, "{:#}", ledger.1);
    println!("clean ledger: {}", ledger.1["counts"]);
    city.stop().await;
}

/// While its effects do not come through, it knows how much there is to take, and for how long the
/// oldest has waited; the registry's table says the same as its metrics.
async fn its_lag_is_told_while_it_lives(city: &City) {
    let slow = json!({"action": "error", "lease_ms": 60_000});
    assert!(city.arm(PROCESS, "orders.before_commit", &slow).await);
    let before = city.standing("notifications", "orders").await;
    shop(city, 2, 4).await;
    let position = before["position"].as_i64().unwrap();
    let mut told = [0.0, 0.0];
    let right = within(FOLLOWS, async || {
        let head = head(city, "orders").await;
        told = [
            city.metric(PROCESS, "citywatch_events_lag_events", FEED)
                .await,
            city.metric(PROCESS, "citywatch_events_lag_seconds", FEED)
                .await,
        ];
        let standing = city.standing("notifications", "orders").await;
        let behind = head - position;
        // Ages are of one moment, and are read at two.
        format!("{:.0}", told[0]) == behind.to_string()
            && standing["lag_events"] == behind
            && told[1] > 2.0
            && standing["lag_seconds"].as_f64().unwrap() >= told[1]
    });
    let standing = city.standing("notifications", "orders").await;
    assert!(
        right.await.is_some(),
        "{told:?}, {standing:#}\n{}",
        city.said()
    );
    println!("{} events behind for {:.1} s", told[0], told[1]);
    city.disarm(PROCESS, "orders.before_commit").await;
    caught_up(city).await;
}

async fn caught_up(city: &City) {
    let mut standing = Value::Null;
    let drained = within(FOLLOWS, async || {
        standing = city.standing("notifications", "orders").await;
        standing["lag_events"] == 0
    });
    assert!(drained.await.is_some(), "{standing:#}\n{}", city.said());
}

/// Position of the newest event that a service has published.
async fn head(city: &City, service: &str) -> i64 {
    let standings = city.standings().await;
    let all = standings["services"].as_array().unwrap();
    let of = all.iter().find(|one| one["service"] == service);
    of.unwrap()["outbox"]["head"].as_i64().unwrap()
}

/// Shoppers who buy, for so long, and on until so many orders were confirmed: on a busy machine the
/// first seconds may bring none.
async fn shop(city: &City, seconds: u64, at_least: u64) {
    let mut load = Value::Null;
    let mut confirmed = 0;
    let enough = within(FOLLOWS, async || {
        load = shoppers(city, seconds).await;
        confirmed += load["orders"]["confirmed"].as_u64().unwrap();
        confirmed >= at_least
    });
    let enough = enough.await;
    assert!(enough.is_some(), "{confirmed}\n{load:#}\n{}", city.said());
}

/// Shoppers who buy, for so long; what they say of it.
async fn shoppers(city: &City, seconds: u64) -> Value {
    let duration = format!("{seconds}s");
    let arguments = [
        "load",
        "--mix",
        "buy",
        "--rate",
        "25/s",
        "--json",
        "--duration",
        &duration,
    ];
    let load = city.command(&arguments).output().await.unwrap();
    serde_json::from_slice(&load.stdout).unwrap()
}

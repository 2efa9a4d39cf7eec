//! Faults at every named point, before and after each commit and each send: an error, the death of
//! the process, and a stop that outlasts the lease. Whatever strikes, the shipment moves once.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use shipping::Shipping;
use testing::{Feed, Process, Town, eventually};
use tokio::task::JoinSet;

use crate::depot::{TOLD, confirm, settings, shipment, start, told};
use crate::instances::{arm, struck};

const PROGRAM: &str = env!("CARGO_BIN_EXE_citywatch-shipping");

/// Passed by every order, up to `before` or `after`.
const EACH: [(&str, &str); 6] = [
    ("orders", "send"),
    ("orders", "commit"),
    ("take", "commit"),
    ("dispatch", "commit"),
    ("feed", "commit"),
    ("deliver", "commit"),
];

/// Passed by an instance that stops.
const STOPPING: (&str, &str) = ("let_go", "commit");

/// What the chassis' own tests strike: parked events and those that are too old.
const OF_THE_CHASSIS: [&str; 3] = ["orders.park.", "orders.retry.", "retention."];

/// Runs at a time: each has a feed and two instances.
const AT_ONCE: usize = 4;

fn points() -> Vec<String> {
    let sides = |(step, what): &(&str, &str)| {
        ["before", "after"].map(|side| format!("{step}.{side}_{what}"))
    };
    EACH.iter().flat_map(sides).collect()
}

async fn process(town: &Town, orders: &Feed) -> Process {
    let command = town.command::<Shipping>(PROGRAM, &settings(orders, &json!({})));
    Process::start(command).await
}

#[tokio::test]
async fn every_point_is_struck() {
    let town = Town::new();
    let orders = Feed::open(&town, "orders").await;
    let service = start(&town, &orders, json!({})).await;
    let request = service.http.get(format!("{}/faults", service.admin_url));
    let answer = request.bearer_auth(town.operator_token()).send().await;
    let body: Value = answer.unwrap().json().await.unwrap();
    let named = body["points"].as_array().unwrap().iter();
    let named = named.map(|point| point["name"].as_str().unwrap().to_owned());
    let own = named.filter(|name| {
        let at = name.ends_with("_commit") || name.ends_with("_send");
        at && !OF_THE_CHASSIS.iter().any(|of| name.starts_with(of))
    });
    let mut struck: BTreeSet<_> = points().into_iter().collect();
    // The tests of those have a situation of their own.
    struck.extend(["let_go.before_commit", "let_go.after_commit"].map(str::to_owned));
    struck.insert("feed.before_send".to_owned());
    assert_eq!(own.collect::<BTreeSet<_>>(), struck);
}

async fn fails(point: String) {
    let town = Town::new();
    let orders = Feed::open(&town, "orders").await;
    let service = start(&town, &orders, json!({})).await;
    let error = json!({ "action": "error", "count": 1 });
    arm(&town, &service.admin_url, &point, &error).await;
    let order = confirm(&orders);
    shipment(&service, order, "delivered").await;
    eventually(&format!("{point} strikes"), async || {
        struck(&town, &service.admin_url, &point)
            .await
            .then_some(())
    })
    .await;
    assert_eq!(told(&service, order).await, TOLD, "{point}");
}

async fn dies(point: String) {
    let town = Town::new();
    let orders = Feed::open(&town, "orders").await;
    let first = process(&town, &orders).await;
    arm(
        &town,
        &first.admin_url,
        &point,
        &json!({ "action": "kill" }),
    )
    .await;
    let order = confirm(&orders);
    let status = first.ended().await.status;
    assert!(status.code().is_none(), "{point}: {status}");
    let second = start(&town, &orders, json!({})).await;
    shipment(&second, order, "delivered").await;
    assert_eq!(told(&second, order).await, TOLD, "{point}");
}

/// Stopped for longer than its lease, it wakes when another has done its work.
async fn stops(point: String) {
    let town = Town::new();
    let orders = Feed::open(&town, "orders").await;
    let first = process(&town, &orders).await;
    // One that stops within a transaction keeps all others from writing, as SQLite has one writer,
    // and at any point another of its tasks may be within one: it has to wake later than its lease
    // and sooner than they lose patience.
    let stop = json!({ "action": "stop", "lease_ms": 2_500 });
    arm(&town, &first.admin_url, &point, &stop).await;
    let order = confirm(&orders);
    let stat = format!("/proc/{}/stat", first.id());
    eventually(&format!("{point} stops it"), async || {
        let stat = std::fs::read_to_string(&stat).unwrap();
        // On a busy machine it may wake before anybody has looked; until then it does not answer.
        let woken = struck(&town, &first.admin_url, &point);
        let woken = tokio::time::timeout(Duration::from_millis(100), woken).await;
        (stat.contains(") T ") || woken == Ok(true)).then_some(())
    })
    .await;
    let second = start(&town, &orders, json!({})).await;
    shipment(&second, order, "delivered").await;
    first.resume();
    // Both have been at work since, and found nothing to do for it.
    let last = confirm(&orders);
    shipment(&second, last, "delivered").await;
    for order in [order, last] {
        assert_eq!(told(&second, order).await, TOLD, "{point}");
    }
}

/// An instance that is stopped while it has a move in hand fails to give it away.
async fn fails_to_let_go(side: &str, action: &str) {
    let (step, what) = STOPPING;
    let point = format!("{step}.{side}_{what}");
    let town = Town::new();
    let orders = Feed::open(&town, "orders").await;
    let first = process(&town, &orders).await;
    let late = json!({ "action": "latency", "delay_ms": 700, "count": 1 });
    let taken = "take.after_commit";
    arm(&town, &first.admin_url, taken, &late).await;
    arm(
        &town,
        &first.admin_url,
        &point,
        &json!({ "action": action }),
    )
    .await;
    let order = confirm(&orders);
    eventually("it is taken", async || {
        struck(&town, &first.admin_url, taken).await.then_some(())
    })
    .await;
    first.stop().await;
    let second = start(&town, &orders, json!({})).await;
    shipment(&second, order, "delivered").await;
    assert_eq!(told(&second, order).await, TOLD, "{point} {action}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipment_survives_an_error_at_each_point() {
    each(points(), fails).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipment_survives_a_death_at_each_point() {
    each(points(), dies).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipment_survives_a_stop_at_each_point() {
    each(points(), stops).await;
}

#[tokio::test]
async fn a_move_that_cannot_be_given_away_is_taken_over() {
    for side in ["before", "after"] {
        for action in ["error", "kill"] {
            fails_to_let_go(side, action).await;
        }
    }
}

async fn each<F>(points: Vec<String>, run: impl Fn(String) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut runs = JoinSet::new();
    for point in points {
        if runs.len() == AT_ONCE {
            runs.join_next().await.unwrap().unwrap();
        }
        runs.spawn(run(point));
    }
    while let Some(outcome) = runs.join_next().await {
        outcome.unwrap();
    }
}

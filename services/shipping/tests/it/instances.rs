//! Two instances on one store, and one of them gone.

use serde_json::{Value, json};
use shipping::Shipping;
use testing::{Feed, Process, Town, eventually};

use crate::depot::{TOLD, confirm, metric, published, settings, shipment, start, told};

const PROGRAM: &str = env!("CARGO_BIN_EXE_citywatch-shipping");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_the_work_and_each_shipment_moves_once() {
    let town = Town::new();
    let orders = Feed::open(&town, "orders").await;
    let first = start(&town, &orders, json!({})).await;
    let second = start(&town, &orders, json!({})).await;
    let confirmed: Vec<_> = (0..40).map(|_| confirm(&orders)).collect();
    for (at, order) in confirmed.iter().enumerate() {
        shipment([&first, &second][at % 2], *order, "delivered").await;
    }
    let all = eventually("the city is told", async || {
        let all = published(&town, &first.url).await;
        (all.len() >= 80).then_some(all)
    })
    .await;
    assert_eq!(all.len(), 80);
    for order in &confirmed {
        let subject = order.to_string();
        let of_order = all.iter().filter(|event| event["subject"] == *subject);
        let types: Vec<_> = of_order.map(|event| event["type"].clone()).collect();
        assert_eq!(types, TOLD);
    }
    let pages = [first.metrics().await, second.metrics().await];
    let sum = |name: &str| pages.iter().map(|page| metric(page, name)).sum::<f64>();
    assert_eq!(sum("prepared_total"), 40.0);
    let moves = ["dispatch", "deliver"].map(|step| format!("moves_total{{move=\"{step}\"}}"));
    assert_eq!(moves.map(|name| sum(&name)), [40.0, 40.0]);
}

/// Kills an instance that has taken a move and not made it.
#[tokio::test]
async fn another_goes_on_when_an_instance_is_killed() {
    for point in [
        "take.after_commit",
        "dispatch.before_commit",
        "deliver.before_commit",
    ] {
        let town = Town::new();
        let orders = Feed::open(&town, "orders").await;
        let command = town.command::<Shipping>(PROGRAM, &settings(&orders, &json!({})));
        let first = Process::start(command).await;
        arm(&town, &first.admin_url, point, &json!({ "action": "kill" })).await;
        let order = confirm(&orders);
        first.ended().await;

        // However slow the machine, no lease of its own lapses.
        let second = start(&town, &orders, json!({ "lease_ms": 60_000 })).await;
        shipment(&second, order, "delivered").await;
        assert_eq!(told(&second, order).await, TOLD, "{point}");
        let page = second.metrics().await;
        assert_eq!(metric(&page, "moves_adopted_total"), 1.0, "{point}");
    }
}

#[tokio::test]
async fn an_instance_that_stops_hands_its_moves_over_at_once() {
    let town = Town::new();
    let orders = Feed::open(&town, "orders").await;
    let long = json!({ "lease_ms": 3_600_000, "drain_timeout_ms": 10_000 });
    let first = start(&town, &orders, long).await;
    let late = json!({ "action": "latency", "delay_ms": 1_000, "count": 1 });
    let taken = "take.after_commit";
    arm(&town, &first.admin_url, taken, &late).await;
    let order = confirm(&orders);
    eventually("it is taken", async || {
        struck(&town, &first.admin_url, taken).await.then_some(())
    })
    .await;
    first.stop().await;

    let second = start(&town, &orders, json!({ "lease_ms": 60_000 })).await;
    shipment(&second, order, "delivered").await;
    assert_eq!(told(&second, order).await, TOLD);
    // It was given, not taken.
    let page = second.metrics().await;
    assert_eq!(metric(&page, "moves_adopted_total"), 0.0);
}

pub(crate) async fn arm(town: &Town, admin_url: &str, point: &str, fault: &Value) {
    let mut fault = fault.clone();
    if fault["lease_ms"].is_null() {
        fault["lease_ms"] = json!(60_000);
    }
    let request = reqwest::Client::new().put(format!("{admin_url}/faults/{point}"));
    let request = request.bearer_auth(town.operator_token()).json(&fault);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{point}");
}

/// Whether what was armed at a point has struck once.
pub(crate) async fn struck(town: &Town, admin_url: &str, point: &str) -> bool {
    let request = reqwest::Client::new().get(format!("{admin_url}/faults"));
    let answer = request.bearer_auth(town.operator_token()).send().await;
    let body: Value = answer.unwrap().json().await.unwrap();
    let points = body["points"].as_array().unwrap();
    let found = points.iter().find(|known| known["name"] == point);
    let found = found.unwrap_or_else(|| panic!("no {point} in {body}"));
    found["injected"] == 1
}

//! Two instances on one store, and one of them gone.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testing::{Process, Town, eventually};

use orders::Orders;

use crate::peers::Mood::{HangsAfter, HangsBefore};
use crate::peers::Peers;
use crate::shop::{MINA, ended, get, place, settings, start};

const PROGRAM: &str = env!("CARGO_BIN_EXE_citywatch-orders");

async fn process(town: &Town, peers: &Peers) -> Process {
    Process::start(town.command::<Orders>(PROGRAM, &settings(peers, &json!({})))).await
}

/// Kills an instance while a step is under way, done or not; another takes its saga over.
#[tokio::test]
async fn another_goes_on_when_an_instance_is_killed() {
    for step in ["reserve", "charge", "confirm"] {
        for mood in [HangsBefore, HangsAfter] {
            let (town, peers) = (Town::new(), Peers::start().await);
            let mug = peers.product(12_900, 100);
            let first = process(&town, &peers).await;
            let second = start(&town, &peers, json!({})).await;
            peers.fill_cart(MINA, &[(mug, 2)]);
            peers.next(step, &[mood]);
            let order = first
                .http
                .post(format!("{}/api/orders", first.url))
                .bearer_auth(town.member_token(MINA, &[]))
                .header("idempotency-key", "k")
                .send();
            let order = tokio::spawn(order);
            peers.asked(step, 1).await;
            drop(first);
            assert!(order.await.unwrap().is_err(), "nobody answers");

            let list: Value = get(&second, MINA, "/api/orders")
                .await
                .json()
                .await
                .unwrap();
            let order = ended(&second, &list["items"][0]).await;
            assert_eq!(order["status"], "confirmed", "{step} {mood:?}");
            peers.assert_settled(&order);
            let page = second.metrics().await;
            let adopted = "\ncitywatch_orders_sagas_adopted_total 1\n";
            assert!(page.contains(adopted), "{page}");
            // Whoever asks again is told how it ended.
            let again = place(&second, MINA, "k").send().await.unwrap();
            assert_eq!(again.status(), StatusCode::CREATED);
            assert_eq!(again.json::<Value>().await.unwrap(), order);
        }
    }
}

#[tokio::test]
async fn an_instance_that_stops_hands_its_sagas_over_at_once() {
    let (town, peers) = (Town::new(), Peers::start().await);
    let mug = peers.product(12_900, 100);
    let long = json!({ "lease_ms": 600_000, "answer_within_ms": 50 });
    let first = start(&town, &peers, long).await;
    peers.fill_cart(MINA, &[(mug, 2)]);
    peers.next("charge", &[HangsAfter]);
    let response = place(&first, MINA, "k").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let order: Value = response.json().await.unwrap();
    first.stop().await;

    // However slow the machine, no lease of its own lapses.
    let second = start(&town, &peers, json!({ "lease_ms": 60_000 })).await;
    let order = ended(&second, &order).await;
    assert_eq!(order["status"], "confirmed");
    peers.assert_settled(&order);
    let page = second.metrics().await;
    // It was given, not taken.
    let adopted = "\ncitywatch_orders_sagas_adopted_total 0\n";
    assert!(page.contains(adopted), "{page}");
}

#[tokio::test]
async fn a_lease_is_kept_while_a_step_takes_long() {
    let (town, peers) = (Town::new(), Peers::start().await);
    let mug = peers.product(12_900, 100);
    let short = json!({ "lease_ms": 500 });
    let first = start(&town, &peers, short.clone()).await;
    let second = start(&town, &peers, short).await;
    peers.fill_cart(MINA, &[(mug, 2)]);
    // Longer than several leases: to the end of the edge's deadline.
    peers.next("charge", &[HangsBefore]);
    let response = place(&first, MINA, "k").send().await.unwrap();
    let order = ended(&first, &response.json().await.unwrap()).await;
    peers.assert_settled(&order);
    let (a, b) = (first.metrics().await, second.metrics().await);
    for page in [a, b] {
        assert!(
            page.contains("\ncitywatch_orders_sagas_adopted_total 0\n"),
            "{page}"
        );
        assert!(
            page.contains("\ncitywatch_orders_leases_lost_total 0\n"),
            "{page}"
        );
    }
}

/// Both instances take orders and resume what peers that are unwell leave behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_the_work_and_each_order_ends_once() {
    let (town, peers) = (Town::new(), Peers::start().await);
    let mug = peers.product(12_900, 15);
    // Breakers would rest longer than a test waits.
    let quick = json!({ "answer_within_ms": 1, "lease_ms": 100,
        "breaker_consecutive_failures": 0, "breaker_failure_percent": 0 });
    let first = start(&town, &peers, quick.clone()).await;
    let second = start(&town, &peers, quick).await;
    for at in 0..20 {
        for step in ["reserve", "charge", "confirm", "release"] {
            if at % 3 == 0 {
                peers.next(step, &[crate::peers::Mood::FailsAfter; 2]);
            }
        }
    }
    let mut orders = Vec::new();
    for at in 0..20 {
        let service = [&first, &second][at % 2];
        peers.fill_cart(MINA, &[(mug, 1)]);
        let response = place(service, MINA, &format!("k{at}"))
            .send()
            .await
            .unwrap();
        assert!(response.status().is_success());
        orders.push(response.json::<Value>().await.unwrap());
    }
    let mut confirmed = 0;
    for (at, order) in orders.iter().enumerate() {
        let order = ended([&second, &first][at % 2], order).await;
        peers.assert_settled(&order);
        confirmed += u32::from(order["status"] == "confirmed");
    }
    assert_eq!(confirmed, 15, "as many as there were");
    eventually("nothing is left", async || {
        let page = first.metrics().await;
        page.contains("\ncitywatch_orders_sagas_unfinished 0\n")
            .then_some(())
    })
    .await;
}

//! Instances that die, and two who believe that a feed is theirs.

use std::sync::atomic::{AtomicU32, Ordering};

use events::Failure;
use reqwest::Method;
use serde_json::{Value, json};
use testing::Running;

use super::bench::{Bench, consumer_state, until};

/// Arms a fault at a point of an instance.
pub(crate) async fn arm(running: &Running, point: &str, fault: &Value) {
    let url = format!("{}/faults/{point}", running.admin_url);
    let request = running.http.put(url);
    let request = request.bearer_auth(running.town().operator_token());
    let answer = request.json(fault).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{point} {fault}");
}

/// How often a fault has struck there.
async fn injected(running: &Running, point: &str) -> u64 {
    let url = format!("{}/faults", running.admin_url);
    let request = running.http.request(Method::GET, url);
    let request = request.bearer_auth(running.town().operator_token());
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let mut points = answer["points"].as_array().unwrap().iter();
    let found = points.find(|one| one["name"] == point);
    found.unwrap_or_else(|| panic!("no {point} in {answer}"))["injected"]
        .as_u64()
        .unwrap()
}

const HANG: &str = r#"{"action": "hang", "lease_ms": 60000}"#;

/// An instance that stands still at this point and dies there leaves everything to be done once.
async fn dies_at(point: &str) {
    let bench = Bench::open().await;
    // The second fails twice: once among others, and once alone.
    let tried = AtomicU32::new(0);
    bench.script.says(move |event| {
        let second = event.data.get().contains('2');
        if second && tried.fetch_add(1, Ordering::SeqCst) < 2 {
            return Err(Failure::Event("not yet".to_owned()));
        }
        Ok(())
    });
    let settings = json!({"faults_enabled": true});
    let consumer = bench.consumer(settings.clone()).await;
    bench.count("a", 1);
    bench.settled(&[("a", &[1])]).await;
    arm(&consumer, point, &serde_json::from_str(HANG).unwrap()).await;
    bench.count("a", 2);
    bench.count("a", 3);
    bench.count("b", 1);
    until(point, async || {
        (injected(&consumer, point).await > 0).then_some(())
    })
    .await;
    consumer.kill().await;

    let consumer = bench.consumer(settings).await;
    bench.settled(&[("a", &[1, 2, 3]), ("b", &[1])]).await;
    until(point, async || {
        let state = consumer_state(&consumer).await;
        let left = ["lag_events", "retrying", "waiting", "dead"];
        left.iter().all(|left| state[*left] == 0).then_some(())
    })
    .await;
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_before_or_after_a_commit_or_a_poll_changes_nothing() {
    for step in ["orders", "orders.park", "orders.retry"] {
        for side in ["before", "after"] {
            dies_at(&format!("{step}.{side}_commit")).await;
        }
    }
    dies_at("orders.before_send").await;
    dies_at("orders.after_send").await;
}

#[tokio::test]
async fn a_cursor_that_another_has_moved_fences_who_read_before() {
    let bench = Bench::open().await;
    let consumer = bench.consumer(json!({})).await;
    bench.count("a", 1);
    bench.settled(&[("a", &[1])]).await;
    bench.feed.set_away(true);
    let second = bench.count("a", 2);
    bench.count("a", 3);
    // Another instance, which has handled the second event.
    let store = bench.store().await;
    let moves = sqlx::query("UPDATE event_cursors SET position = 2, event_id = $1");
    moves.bind(&second.id).execute(&store).await.unwrap();
    bench.feed.set_away(false);
    bench.settled(&[("a", &[1, 3])]).await;
    store.close().await;
    consumer.stop().await;
}

#[tokio::test]
async fn who_stands_by_takes_over_from_whoever_dies() {
    let bench = Bench::open().await;
    let first = bench.consumer(json!({})).await;
    bench.count("a", 1);
    bench.settled(&[("a", &[1])]).await;
    let second = bench.consumer(json!({})).await;
    let asked = bench.feed.asked().len();
    first.kill().await;
    bench.count("a", 2);
    bench.settled(&[("a", &[1, 2])]).await;
    assert!(bench.feed.asked().len() > asked);
    second.stop().await;
}

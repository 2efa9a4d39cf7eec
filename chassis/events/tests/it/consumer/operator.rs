//! What operators see and do.

use reqwest::Method;
use serde_json::{Value, json};
use testing::assert_problem;

use super::bench::{Bench, consumer_state, metric, operator, until};

#[tokio::test]
async fn nobody_but_the_operator_is_let_in() {
    let bench = Bench::open().await;
    let consumer = bench.consumer(json!({})).await;
    for (method, path) in [
        (Method::GET, "/inner/v1/events"),
        (Method::GET, "/inner/v1/events/dead"),
        (Method::POST, "/inner/v1/events/dead/x/replay"),
        (Method::DELETE, "/inner/v1/events/dead/x"),
        (Method::POST, "/inner/v1/events/feeds/orders/rebuild"),
    ] {
        let url = format!("{}{path}", consumer.url);
        let bare = consumer.http.request(method.clone(), &url).send().await;
        assert_problem(bare.unwrap(), 401, "missing_token").await;
        let member = bench.town.member_token("ada", &["admin"]);
        let shown = consumer.http.request(method, url).bearer_auth(member);
        assert_problem(shown.send().await.unwrap(), 401, "invalid_token").await;
    }
    consumer.stop().await;
}

#[tokio::test]
async fn a_truncated_feed_stalls_until_it_is_rebuilt() {
    let bench = Bench::open().await;
    let consumer = bench.consumer(json!({"rebuilds": true})).await;
    for n in 1..=3 {
        bench.count("a", n);
    }
    bench.settled(&[("a", &[1, 2, 3])]).await;
    consumer.stop().await;
    for n in 4..=6 {
        bench.count("a", n);
    }
    bench.feed.truncate(5);

    let consumer = bench.consumer(json!({"rebuilds": true})).await;
    let stalled = "citywatch_events_stalled{feed=\"orders\"}";
    until("it stalls", async || {
        (metric(&consumer, stalled).await == 1.0).then_some(())
    })
    .await;
    let state = consumer_state(&consumer).await;
    let why = "events of orders behind position 3 are gone";
    assert_eq!(state["stalled"], why);
    let ready = consumer.http.get(format!("{}/readyz", consumer.admin_url));
    let ready = ready.send().await.unwrap();
    assert_eq!(ready.status(), 200, "requests are answered as ever");
    let ready: Value = ready.json().await.unwrap();
    let said = ready["checks"].as_array().unwrap().iter();
    let said = said.filter(|check| check["name"] == "orders");
    let said: Vec<_> = said.map(|check| &check["detail"]).collect();
    assert_eq!(said, [why]);
    bench.settled(&[("a", &[1, 2, 3])]).await;

    // Another instance knows it too, without asking the feed.
    let other = bench.consumer(json!({"rebuilds": true})).await;
    until("the other says so", async || {
        (metric(&other, stalled).await == 1.0).then_some(())
    })
    .await;
    let rebuild = "/inner/v1/events/feeds/orders/rebuild";
    let answer = operator(&other, Method::POST, rebuild).await;
    assert_eq!(answer.status(), 202);
    bench.settled(&[("a", &[6])]).await;
    until("nothing stalls", async || {
        let (one, two) = (metric(&consumer, stalled), metric(&other, stalled));
        (one.await == 0.0 && two.await == 0.0).then_some(())
    })
    .await;
    consumer.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn what_cannot_be_done_again_is_not_rebuilt() {
    let bench = Bench::open().await;
    let consumer = bench.consumer(json!({})).await;
    bench.count("a", 1);
    bench.settled(&[("a", &[1])]).await;
    let rebuild = "/inner/v1/events/feeds/orders/rebuild";
    let answer = operator(&consumer, Method::POST, rebuild).await;
    assert_problem(answer, 409, "not_rebuildable").await;
    let answer = operator(
        &consumer,
        Method::POST,
        "/inner/v1/events/feeds/users/rebuild",
    )
    .await;
    assert_problem(answer, 404, "unknown_feed").await;
    bench.count("a", 2);
    bench.settled(&[("a", &[1, 2])]).await;
    consumer.stop().await;
}

#[tokio::test]
async fn a_rebuild_with_live_traffic_counts_everything_once() {
    let bench = Bench::open().await;
    let consumer = bench.consumer(json!({"rebuilds": true})).await;
    for n in 1..=200 {
        bench.count("a", n);
    }
    until("some were handled", async || {
        (bench.effects().await.get("a")?.len() > 20).then_some(())
    })
    .await;
    let rebuild = "/inner/v1/events/feeds/orders/rebuild";
    for n in 201..=400 {
        bench.count("a", n);
        if n % 50 == 0 {
            let answer = operator(&consumer, Method::POST, rebuild).await;
            assert_eq!(answer.status(), 202);
        }
    }
    let all: Vec<_> = (1..=400).collect();
    bench.settled(&[("a", &all)]).await;
    consumer.stop().await;
}

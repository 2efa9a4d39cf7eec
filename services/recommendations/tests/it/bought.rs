use serde_json::json;
use testing::eventually;
use uuid::Uuid;

use crate::shelf::{open, open_between, products};

#[tokio::test]
async fn what_is_bought_together_is_recommended() {
    let shelf = open().await;
    let [a, b, c, d] = products();
    shelf.order(&[a, b]);
    shelf.order(&[b, a, c]);
    shelf.order(&[d]);
    // Not one order of two, but one of one, told in two lines.
    shelf.order(&[d, d]);
    shelf.settled().await;

    assert_eq!(shelf.also_bought(a).await, [(b, 2), (c, 1)]);
    assert_eq!(shelf.also_bought(b).await, [(a, 2), (c, 1)]);
    let of_c = shelf.also_bought(c).await;
    assert_eq!(of_c.len(), 2);
    assert!(of_c.contains(&(a, 1)) && of_c.contains(&(b, 1)));
    assert_eq!(shelf.also_bought(d).await, []);
    assert_eq!(shelf.also_viewed(a).await, []);
    assert_eq!(shelf.also_bought(Uuid::now_v7()).await, []);
    for limit in [1, 2, 100] {
        let counts = shelf.counts(limit).await;
        assert_eq!(counts, [(a, 2), (b, 2), (c, 1), (d, 2)], "{limit}");
    }
}

#[tokio::test]
async fn as_many_are_recommended_as_are_wanted() {
    let shelf = open().await;
    let many: [Uuid; 15] = products();
    shelf.order(&many);
    shelf.settled().await;
    let shown = async |limit: Option<&str>| {
        let request = shelf.ask(many[0]);
        let request = match limit {
            Some(limit) => request.query(&[("limit", limit)]),
            None => request,
        };
        let answer = request.send().await.unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        answer["also_bought"].as_array().unwrap().len()
    };
    assert_eq!(shown(None).await, 10);
    assert_eq!(shown(Some("3")).await, 3);
    assert_eq!(shown(Some("50")).await, 14);
}

#[tokio::test]
async fn an_order_is_counted_once_across_restarts_and_replicas() {
    let shelf = open().await;
    let [a, b] = products();
    for _ in 0..20 {
        shelf.order(&[a, b]);
    }
    let (town, orders, catalog) = (
        shelf.service.town().clone(),
        shelf.orders.clone(),
        shelf.catalog.clone(),
    );
    // It goes wherever it stands.
    shelf.service.stop().await;
    let here = open_between(&town, orders.clone(), catalog.clone(), json!({})).await;
    let there = open_between(&town, orders, catalog, json!({})).await;
    for _ in 0..20 {
        here.order(&[a, b]);
    }
    there.settled().await;
    assert_eq!(there.counts(10).await, [(a, 40), (b, 40)]);
    assert_eq!(here.also_bought(a).await, [(b, 40)]);
}

#[tokio::test]
async fn an_order_that_cannot_be_read_holds_nobody_up() {
    let shelf = open().await;
    let [a, b] = products();
    let broken = json!({ "items": [{ "product_id": "a mug" }] });
    shelf
        .orders
        .publish("orders.OrderConfirmed.v1", "broken", &broken);
    shelf.order(&[a, b]);
    eventually("the next order is counted", async || {
        (shelf.counts(10).await == [(a, 1), (b, 1)]).then_some(())
    })
    .await;
    eventually("the broken one is put aside", async || {
        let consumer = shelf.consumer("orders").await;
        let aside = [&consumer["retrying"], &consumer["dead"]];
        aside.iter().any(|count| **count == 1).then_some(())
    })
    .await;
}

//! What others are told of stock: each change of what can be promised, and nothing else.

use reqwest::Method;
use serde_json::{Value, json};
use testing::{Town, assert_problem, eventually};

use crate::warehouse::{Warehouse, id, ok, open, open_in};

const INITIAL: i64 = 10;

async fn told(warehouse: &Warehouse, product: &str, many: usize) -> Vec<i64> {
    let town = warehouse.service.town();
    eventually("stock has changed so often", async || {
        let all = town
            .published(&warehouse.service.url, "inventory", "catalog")
            .await;
        let of_product = all.iter().filter(|event| event["subject"] == product);
        let on_hand = of_product.map(|event| {
            assert_eq!(event["type"], "citywatch.inventory.StockChanged.v1");
            assert_eq!(event["data"]["product_id"], product);
            event["data"]["on_hand"].as_i64().unwrap()
        });
        let on_hand: Vec<_> = on_hand.collect();
        (on_hand.len() >= many).then_some(on_hand)
    })
    .await
}

#[tokio::test]
async fn each_change_of_what_can_be_promised_is_told_once_and_in_order() {
    let settings = json!({ "initial_stock": INITIAL });
    let warehouse = open_in(&Town::new(), settings).await;
    let (product, other) = (id(), id());
    let (sold, given_up, too_many) = (id(), id(), id());
    let two = [(&*product, 2)];
    for _ in 0..2 {
        assert!(warehouse.reserve(&sold, &two).await.status().is_success());
    }
    // What is sold was not on hand any more.
    for _ in 0..2 {
        ok(warehouse.confirm(&sold).await).await;
    }
    assert!(
        warehouse
            .reserve(&given_up, &[(&product, 3), (&other, 1)])
            .await
            .status()
            .is_success()
    );
    let refused = warehouse
        .reserve(&too_many, &[(&other, 1), (&product, 100)])
        .await;
    assert_problem(refused, 409, "out_of_stock").await;
    for _ in 0..2 {
        ok(warehouse.release(&given_up).await).await;
    }
    // As many as before is no change.
    for on_hand in [8, 20, 20, 0] {
        let set: Value = ok(warehouse.set_on_hand(&product, on_hand).await).await;
        assert_eq!(set["on_hand"], on_hand);
    }
    assert_eq!(told(&warehouse, &product, 5).await, [8, 5, 8, 20, 0]);
    assert_eq!(told(&warehouse, &other, 2).await, [9, 10]);
}

#[tokio::test]
async fn what_expires_is_told_to_be_on_hand_again() {
    let settings = json!({ "initial_stock": INITIAL, "reservation_ttl_ms": 20 });
    let warehouse = open_in(&Town::new(), settings).await;
    let product = id();
    assert!(
        warehouse
            .reserve(&id(), &[(&product, 4)])
            .await
            .status()
            .is_success()
    );
    assert_eq!(told(&warehouse, &product, 2).await, [6, 10]);
}

/// The first touch of a product by an admin who leaves it as it is.
#[tokio::test]
async fn what_stays_as_it_was_is_not_told() {
    let settings = json!({ "initial_stock": INITIAL });
    let warehouse = open_in(&Town::new(), settings).await;
    let (same, other) = (id(), id());
    let set = ok(warehouse.set_on_hand(&same, INITIAL).await).await;
    assert_eq!(
        (&set["on_hand"], &set["adjusted"]),
        (&json!(INITIAL), &json!(0))
    );
    ok(warehouse.set_on_hand(&other, 1).await).await;
    assert_eq!(told(&warehouse, &other, 1).await, [1]);
    assert!(told(&warehouse, &same, 0).await.is_empty());
}

#[tokio::test]
async fn the_feed_is_for_catalog_alone() {
    let warehouse = open().await;
    let town = warehouse.service.town();
    let feed = warehouse.anyone(Method::GET, "/inner/v1/feed");
    let orders = feed.bearer_auth(town.service_token("orders", "inventory"));
    assert_problem(orders.send().await.unwrap(), 403, "forbidden").await;
    let feed = warehouse.anyone(Method::GET, "/inner/v1/feed");
    let catalog = feed.bearer_auth(town.service_token("catalog", "inventory"));
    assert_eq!(catalog.send().await.unwrap().status(), 200);
}

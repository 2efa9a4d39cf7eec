//! What the catalog makes of inventory's events.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testing::{Feed, Town, eventually};

use crate::shop::{Shop, draft, open_in};

/// Two replicas on one store, which follow inventory's feed.
async fn two(town: &Town) -> (Shop, Shop, Feed) {
    let inventory = Feed::open(town, "inventory").await;
    let settings = json!({ "instances": inventory.instances(), "seed_products": 30 });
    let (a, b) = tokio::join!(open_in(town, settings.clone()), open_in(town, settings));
    (a, b, inventory)
}

fn set(inventory: &Feed, product: &str, on_hand: i64) {
    let body = json!({ "product_id": product, "on_hand": on_hand });
    inventory.publish("inventory.StockChanged.v1", product, &body);
}

impl Shop {
    async fn product(&self, id: &str) -> (Value, String) {
        let response = self.get(&format!("/api/products/{id}")).await;
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        (response.json().await.unwrap(), tag)
    }

    /// Waits until the product stands so in this replica's listings.
    async fn lists(&self, id: &str, in_stock: bool) {
        eventually("the listing tells of the stock", async || {
            let page = self.list(&[("limit", "100")]).await;
            let items = page["items"].as_array().unwrap();
            let item = items.iter().find(|item| item["id"] == id).unwrap();
            (item["in_stock"] == in_stock).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sold_out_is_shown_so_by_every_replica() {
    let town = Town::new();
    let (a, b, inventory) = two(&town).await;
    let ids = a.walk(&[]).await;
    let (cup, pot) = (&*ids[0], &*ids[1]);
    let (before, tag) = a.product(cup).await;
    assert_eq!((&before["in_stock"], &*tag), (&json!(true), "\"1\""));

    set(&inventory, cup, 1);
    set(&inventory, cup, 0);
    set(&inventory, "00000000-0000-7000-8000-000000000000", 0);
    for shop in [&a, &b] {
        shop.lists(cup, false).await;
        shop.lists(pot, true).await;
        let (product, tag) = shop.product(cup).await;
        assert_eq!(product["in_stock"], false);
        // Nobody has edited it; yet it is shown differently.
        assert_eq!(product["version"], 1);
        assert_eq!(tag, "\"1-sold-out\"");
        let url = format!("{}/api/products/{cup}", shop.service.url);
        let known = |tag: &'static str| shop.service.http.get(&url).header("if-none-match", tag);
        let fresh = known("\"1\"").send().await.unwrap();
        assert_eq!(fresh.status(), StatusCode::OK);
        let same = known("\"1-sold-out\"").send().await.unwrap();
        assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    }
    // It keeps its place.
    assert_eq!(b.walk(&[("limit", "7")]).await, ids);

    // An edit says nothing of stock, and stock nothing of edits.
    let edit = draft("은 거위", "Silver Goose");
    let path = format!("/{cup}");
    let edited = a
        .send(
            Method::PUT,
            &path,
            &[("if-match", "\"1-sold-out\"")],
            Some(&edit),
        )
        .await;
    assert_eq!(edited.headers()["etag"], "\"2-sold-out\"");
    assert_eq!(edited.json::<Value>().await.unwrap()["in_stock"], false);

    set(&inventory, cup, 40);
    for shop in [&a, &b] {
        shop.lists(cup, true).await;
        assert_eq!(shop.product(cup).await.1, "\"2\"");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_inventory_tells_no_more_counts_as_in_stock_after_a_rebuild() {
    let town = Town::new();
    let (a, b, inventory) = two(&town).await;
    let ids = a.walk(&[]).await;
    let (cup, pot) = (&*ids[0], &*ids[1]);
    set(&inventory, cup, 0);
    set(&inventory, pot, 0);
    for shop in [&a, &b] {
        shop.lists(cup, false).await;
        shop.lists(pot, false).await;
    }
    // The feed keeps the second alone.
    inventory.truncate(1);
    let url = format!("{}/inner/v1/events/feeds/inventory/rebuild", a.service.url);
    let rebuild = a.service.http.post(url).bearer_auth(town.operator_token());
    assert_eq!(rebuild.send().await.unwrap().status(), 202);
    for shop in [&a, &b] {
        shop.lists(cup, true).await;
        shop.lists(pot, false).await;
    }
}

//! A change and its event are there together or not at all, wherever the process dies.

use catalog::Catalog;
use reqwest::Method;
use serde_json::{Value, json};
use testing::{Feed, Process, Town, eventually};

use crate::shop::draft;

const POINTS: [&str; 24] = [
    "create.after_commit",
    "create.before_commit",
    "delete.after_commit",
    "delete.before_commit",
    "feed.after_commit",
    "feed.before_commit",
    "feed.before_send",
    "fill.after_commit",
    "fill.before_commit",
    "inventory.after_commit",
    "inventory.after_send",
    "inventory.before_commit",
    "inventory.before_send",
    "inventory.effect",
    "inventory.park.after_commit",
    "inventory.park.before_commit",
    "inventory.retry.after_commit",
    "inventory.retry.before_commit",
    "replace.after_commit",
    "replace.before_commit",
    "retention.after_commit",
    "retention.before_commit",
    "views.after_commit",
    "views.before_commit",
];

/// The service's own binary, which is to die at a point.
async fn start(town: &Town, point: Option<&str>) -> Process {
    start_beside(town, None, point).await
}

/// The same, which follows inventory's feed.
async fn start_beside(town: &Town, inventory: Option<&Feed>, point: Option<&str>) -> Process {
    let binary = env!("CARGO_BIN_EXE_citywatch-catalog");
    let instances = inventory.map(Feed::instances).unwrap_or_default();
    let settings = json!({
        "faults_enabled": true, "seed_products": 3, "instances": instances,
    });
    let process = Process::start(town.command::<Catalog>(binary, &settings)).await;
    if let Some(point) = point {
        let url = format!("{}/faults/{point}", process.admin_url);
        let fault = json!({ "action": "kill", "lease_ms": 60_000 });
        let arm = process.http.put(url).bearer_auth(town.operator_token());
        assert_eq!(arm.json(&fault).send().await.unwrap().status(), 200);
    }
    process
}

async fn feed(town: &Town, process: &Process) -> Vec<Value> {
    let url = format!("{}/inner/v1/feed?limit=1000&timeout=1000", process.url);
    let token = town.service_token("recommendations", "catalog");
    let request = process.http.get(url).bearer_auth(token);
    request.send().await.unwrap().json().await.unwrap()
}

async fn names(process: &Process) -> Vec<String> {
    let url = format!("{}/api/products", process.url);
    let page: Value = process
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["name"]["en"].as_str().unwrap().to_owned())
        .collect()
}

async fn dead(process: &mut Process, point: &str) {
    eventually(&format!("the process is dead at {point}"), || {
        let is_running = process.is_running();
        async move { (!is_running).then_some(()) }
    })
    .await;
}

async fn killed_at(point: &str, happened: bool) {
    let town = Town::new();
    let mut process = start(&town, Some(point)).await;
    let admin = town.member_token("0198-admin", &["admin"]);
    let url = format!("{}/api/admin/products", process.url);
    let add = process.http.request(Method::POST, url).bearer_auth(admin);
    let added = add.json(&draft("황금 거위", "Golden Goose")).send().await;
    assert!(added.is_err(), "{point}: {added:?}");
    dead(&mut process, point).await;

    let process = start(&town, None).await;
    let is_listed = names(&process).await.contains(&"Golden Goose".to_owned());
    assert_eq!(is_listed, happened, "{point}");
    let told = feed(&town, &process).await;
    let told: Vec<_> = told
        .iter()
        .map(|event| event["data"]["revision"].clone())
        .collect();
    let expected: &[Value] = if happened { &[json!(4)] } else { &[] };
    assert_eq!(told, expected, "{point}");
}

#[tokio::test]
async fn killed_before_the_commit_there_is_neither_product_nor_event() {
    killed_at("create.before_commit", false).await;
}

#[tokio::test]
async fn killed_after_the_commit_there_are_both() {
    killed_at("create.after_commit", true).await;
}

#[tokio::test]
async fn every_point_has_a_name() {
    let town = Town::new();
    let process = start(&town, None).await;
    let request = process.http.get(format!("{}/faults", process.admin_url));
    let answer = request.bearer_auth(town.operator_token()).send().await;
    let answer: Value = answer.unwrap().json().await.unwrap();
    let named = answer["points"].as_array().unwrap().iter();
    let named = named.map(|point| point["name"].as_str().unwrap());
    let mut named: Vec<_> = named.filter(|name| !name.starts_with("call.")).collect();
    named.retain(|name| *name != "server");
    named.sort_unstable();
    assert_eq!(named, POINTS);
}

#[tokio::test]
async fn killed_around_a_look_it_is_told_of_or_not() {
    for (point, happened) in [("views.before_commit", 0), ("views.after_commit", 1)] {
        let town = Town::new();
        let mut process = start(&town, Some(point)).await;
        let page = process.http.get(format!("{}/api/products", process.url));
        let page: Value = page.send().await.unwrap().json().await.unwrap();
        let id = page["items"][0]["id"].as_str().unwrap();
        let look = process
            .http
            .get(format!("{}/api/products/{id}", process.url));
        let look = look.bearer_auth(town.member_token("0198-ada", &[]));
        // It may be dead before it has answered.
        let _ = look.send().await;
        dead(&mut process, point).await;
        let process = start(&town, None).await;
        assert_eq!(feed(&town, &process).await.len(), happened, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_around_what_inventory_tells_it_has_its_effect_once() {
    for point in ["inventory.before_commit", "inventory.after_commit"] {
        let town = Town::new();
        let inventory = Feed::open(&town, "inventory").await;
        let mut process = start_beside(&town, Some(&inventory), Some(point)).await;
        let page = process.http.get(format!("{}/api/products", process.url));
        let page: Value = page.send().await.unwrap().json().await.unwrap();
        let id = page["items"][0]["id"].as_str().unwrap();
        let body = json!({ "product_id": id, "on_hand": 0 });
        inventory.publish("inventory.StockChanged.v1", id, &body);
        dead(&mut process, point).await;
        let process = start_beside(&town, Some(&inventory), None).await;
        eventually("it is sold out", async || {
            let product = process
                .http
                .get(format!("{}/api/products/{id}", process.url));
            let product: Value = product.send().await.unwrap().json().await.unwrap();
            (product["in_stock"] == false).then_some(())
        })
        .await;
        let told = feed(&town, &process).await;
        let revisions: Vec<_> = told
            .iter()
            .map(|event| &event["data"]["revision"])
            .collect();
        assert_eq!(revisions, [&json!(4)], "{point}");
    }
}

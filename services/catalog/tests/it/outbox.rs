//! A change and its event are there together or not at all.

use catalog::Catalog;
use reqwest::Method;
use serde_json::{Value, json};
use testing::{Process, Town, eventually};

use crate::shop::draft;

/// The service's own binary, which is to die at a point.
async fn start(town: &Town, point: Option<&str>) -> Process {
    let binary = env!("CARGO_BIN_EXE_citywatch-catalog");
    let settings = json!({ "faults_enabled": true, "seed_products": 3 });
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

async fn killed_at(point: &str, happened: bool) {
    let town = Town::new();
    let mut process = start(&town, Some(point)).await;
    let admin = town.member_token("0198-admin", &["admin"]);
    let url = format!("{}/api/admin/products", process.url);
    let add = process.http.request(Method::POST, url).bearer_auth(admin);
    let added = add.json(&draft("황금 거위", "Golden Goose")).send().await;
    assert!(added.is_err(), "{point}: {added:?}");
    eventually("the process is dead", || {
        let is_running = process.is_running();
        async move { (!is_running).then_some(()) }
    })
    .await;

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

//! Orders as members meet them, with peers that a test can upset.

use orders::Orders;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use testing::{Running, Town, eventually};
use uuid::Uuid;

use crate::peers::Peers;

pub(crate) const MINA: &str = "0198-mina";

pub(crate) struct Shop {
    pub(crate) service: Running,
    pub(crate) peers: Peers,
    /// Costs 12,900 won; there are 100.
    pub(crate) mug: Uuid,
}

pub(crate) async fn open() -> Shop {
    open_with(json!({})).await
}

pub(crate) async fn open_with(settings: Value) -> Shop {
    let peers = Peers::start().await;
    let mug = peers.product(12_900, 100);
    let service = start(&Town::new(), &peers, settings).await;
    Shop {
        service,
        peers,
        mug,
    }
}

/// Every event that orders has published so far.
pub(crate) async fn published(service: &Running) -> Vec<Value> {
    let token = service.town().service_token("shipping", "orders");
    let mut all: Vec<Value> = Vec::new();
    loop {
        let mut url = format!("{}/inner/v1/feed?limit=1000", service.url);
        if let Some(last) = all.last() {
            url = format!("{url}&lastEventId={}", last["id"].as_str().unwrap());
        }
        let answer = service.http.get(url).bearer_auth(&token).send();
        let batch: Vec<Value> = answer.await.unwrap().json().await.unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
    }
}

/// The one event that orders has published of an order that has ended.
pub(crate) async fn told(service: &Running, order: &Value) -> Value {
    let mut told = eventually("the city is told", async || {
        let mut all = published(service).await;
        all.retain(|event| event["subject"] == order["id"]);
        (!all.is_empty()).then_some(all)
    })
    .await;
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}

/// One instance in this town.
pub(crate) async fn start(town: &Town, peers: &Peers, overrides: Value) -> Running {
    town.start::<Orders>(settings(peers, &overrides)).await
}

/// Quick ones, so that no test waits long.
pub(crate) fn settings(peers: &Peers, overrides: &Value) -> Value {
    let mut settings = json!({ "instances": peers.addresses, "faults_enabled": true,
        "retry_first_ms": 10, "retry_max_ms": 50, "lease_ms": 400 });
    for (key, value) in overrides.as_object().unwrap() {
        settings[key] = value.clone();
    }
    settings
}

impl Shop {
    /// A request to place an order, by a member whose cart holds two mugs.
    pub(crate) fn order(&self, key: &str) -> RequestBuilder {
        self.peers.fill_cart(MINA, &[(self.mug, 2)]);
        self.order_as(MINA, key)
    }

    /// The same, whatever is in the cart.
    pub(crate) fn order_as(&self, member: &str, key: &str) -> RequestBuilder {
        place(&self.service, member, key)
    }

    /// Places an order, and waits for its end if the answer came before it.
    pub(crate) async fn ordered(&self, key: &str) -> Value {
        let response = self.order(key).send().await.unwrap();
        let status = response.status().as_u16();
        let order: Value = response.json().await.unwrap();
        assert!([201, 202].contains(&status), "{status} {order}");
        self.ended(&order).await
    }

    /// An order, once it has ended.
    pub(crate) async fn ended(&self, order: &Value) -> Value {
        ended(&self.service, order).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        get(&self.service, MINA, path).await
    }

    /// Types of the events in an order's log.
    pub(crate) async fn history(&self, order: &Value) -> Vec<String> {
        let path = format!("/api/orders/{}/history", order["id"].as_str().unwrap());
        let log: Value = self.get(&path).await.json().await.unwrap();
        let items = log["items"].as_array().unwrap();
        for (at, item) in items.iter().enumerate() {
            assert_eq!(item["seq"], at + 1);
        }
        let kind = |item: &Value| item["type"].as_str().unwrap().to_owned();
        items.iter().map(kind).collect()
    }
}

pub(crate) fn place(service: &Running, member: &str, key: &str) -> RequestBuilder {
    let url = format!("{}/api/orders", service.url);
    let token = service.town().member_token(member, &[]);
    let request = service.http.post(url).bearer_auth(token);
    request.header("idempotency-key", key)
}

pub(crate) async fn get(service: &Running, member: &str, path: &str) -> Response {
    let token = service.town().member_token(member, &[]);
    let request = service.http.get(format!("{}{path}", service.url));
    request.bearer_auth(token).send().await.unwrap()
}

/// An order of Mina's, once it has ended.
pub(crate) async fn ended(service: &Running, order: &Value) -> Value {
    let path = format!("/api/orders/{}", order["id"].as_str().unwrap());
    eventually("the order ends", async || {
        let order: Value = get(service, MINA, &path).await.json().await.unwrap();
        (order["status"] != "pending").then_some(order)
    })
    .await
}

//! Shipping as the city meets it: orders tells it what was confirmed, and its own feed says what
//! became of that.

use reqwest::{Client, Response};
use serde_json::{Value, json};
use shipping::Shipping;
use testing::{Feed, Running, Town, eventually};
use uuid::Uuid;

pub(crate) const MINA: &str = "0198-mina";
const CONFIRMED: &str = "orders.OrderConfirmed.v1";

pub(crate) struct Depot {
    pub(crate) service: Running,
    pub(crate) orders: Feed,
}

pub(crate) async fn open(overrides: Value) -> Depot {
    let town = Town::new();
    let orders = Feed::open(&town, "orders").await;
    let service = start(&town, &orders, overrides).await;
    Depot { service, orders }
}

/// One instance in this town.
pub(crate) async fn start(town: &Town, orders: &Feed, overrides: Value) -> Running {
    town.start::<Shipping>(settings(orders, &overrides)).await
}

/// Quick ones, so that no test waits long.
pub(crate) fn settings(orders: &Feed, overrides: &Value) -> Value {
    let mut settings = json!({ "instances": orders.instances(), "faults_enabled": true,
        "dispatch_after_ms": 20, "deliver_after_ms": 20, "lease_ms": 300 });
    for (key, value) in overrides.as_object().unwrap() {
        settings[key] = value.clone();
    }
    settings
}

/// What orders says of an order.
pub(crate) fn confirmed(order: Uuid) -> Value {
    json!({ "order_id": order, "member_id": MINA, "total": { "amount": 1, "currency": "KRW" },
        "items": [] })
}

/// Orders confirms an order.
pub(crate) fn confirm(orders: &Feed) -> Uuid {
    let order = Uuid::now_v7();
    orders.publish(CONFIRMED, &order.to_string(), &confirmed(order));
    order
}

pub(crate) async fn get(service: &Running, member: &str, order: Uuid) -> Response {
    let url = format!("{}/api/shipments/{order}", service.url);
    let token = service.town().member_token(member, &[]);
    service
        .http
        .get(url)
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
}

/// The shipment of Mina's order, once it has come so far.
pub(crate) async fn shipment(service: &Running, order: Uuid, state: &str) -> Value {
    eventually(&format!("the shipment is {state}"), async || {
        let shipment: Value = get(service, MINA, order).await.json().await.unwrap();
        (shipment["state"] == state).then_some(shipment)
    })
    .await
}

/// Every event that shipping has published so far.
pub(crate) async fn published(town: &Town, url: &str) -> Vec<Value> {
    let token = town.service_token("orders", "shipping");
    let mut all: Vec<Value> = Vec::new();
    loop {
        let mut url = format!("{url}/inner/v1/feed?limit=1000");
        if let Some(last) = all.last() {
            url = format!("{url}&lastEventId={}", last["id"].as_str().unwrap());
        }
        let answer = Client::new().get(url).bearer_auth(&token).send();
        let batch: Vec<Value> = answer.await.unwrap().json().await.unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
    }
}

/// What was published of one order, once a second event has been: the types, in their order.
pub(crate) async fn told(service: &Running, order: Uuid) -> Vec<String> {
    eventually("the city is told", async || {
        let all = published(service.town(), &service.url).await;
        let subject = order.to_string();
        let of_order = all.iter().filter(|event| event["subject"] == *subject);
        let types = of_order.map(|event| event["type"].as_str().unwrap().to_owned());
        let types: Vec<_> = types.collect();
        (types.len() >= 2).then_some(types)
    })
    .await
}

pub(crate) const TOLD: [&str; 2] = [
    "citywatch.shipping.ShipmentDispatched.v1",
    "citywatch.shipping.ShipmentDelivered.v1",
];

impl Depot {
    /// What the operator sees.
    pub(crate) async fn list(&self, query: &str) -> Value {
        let url = format!("{}/inner/v1/shipments{query}", self.service.url);
        let request = self.service.http.get(url);
        let request = request.bearer_auth(self.service.town().operator_token());
        request.send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn metric(&self, name: &str) -> f64 {
        metric(&self.service.metrics().await, name)
    }
}

/// A sample of this service's own.
pub(crate) fn metric(page: &str, name: &str) -> f64 {
    let line = format!("\ncitywatch_shipping_{name} ");
    let (_, rest) = page
        .split_once(&line)
        .unwrap_or_else(|| panic!("{name}: {page}"));
    rest.lines().next().unwrap().parse().unwrap()
}

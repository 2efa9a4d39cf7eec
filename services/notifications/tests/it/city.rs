//! The city around the service: feeds of those whose events it handles.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use notifications::Notifications;
use serde_json::{Value, json};
use testing::{Feed, Published, Running, Town, eventually};
use uuid::Uuid;

pub(crate) const ADDRESS: &str = "mina@example.com";

/// Feeds that a test fills.
pub(crate) struct City {
    pub(crate) town: Town,
    pub(crate) users: Feed,
    pub(crate) orders: Feed,
    pub(crate) payments: Feed,
    pub(crate) shipping: Feed,
}

/// Somebody in the city.
pub(crate) struct Shopper {
    pub(crate) id: String,
}

pub(crate) fn id() -> String {
    Uuid::now_v7().to_string()
}

impl City {
    pub(crate) async fn open() -> Self {
        let town = Town::new();
        Self {
            users: Feed::open(&town, "users").await,
            orders: Feed::open(&town, "orders").await,
            payments: Feed::open(&town, "payments").await,
            shipping: Feed::open(&town, "shipping").await,
            town,
        }
    }

    /// Settings with where the others are, times that a test can wait for, and `more`.
    pub(crate) fn settings(&self, more: &Value) -> Value {
        let feeds = [&self.users, &self.orders, &self.payments, &self.shipping];
        let instances: BTreeMap<&str, [SocketAddr; 1]> =
            feeds.into_iter().flat_map(Feed::instances).collect();
        let mut settings = json!({
            "instances": instances, "retry_first_ms": 20, "retry_max_ms": 100,
            "events_backoff_ms": 20,
        });
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        settings
    }

    pub(crate) async fn start(&self, more: &Value) -> Running {
        self.town.start::<Notifications>(self.settings(more)).await
    }

    /// Somebody signs up.
    pub(crate) fn registers(&self, shopper: &Shopper) -> Published {
        let user = json!({ "user_id": shopper.id, "name": "Mina Kim", "email": ADDRESS });
        self.users
            .publish("users.UserRegistered.v1", &shopper.id, &user)
    }

    /// An order of theirs is confirmed.
    pub(crate) fn confirms(&self, shopper: &Shopper) -> (String, Published) {
        let order = id();
        let confirmed = json!({
            "order_id": order, "member_id": shopper.id, "items": [],
            "total": { "amount": 12_900, "currency": "KRW" },
        });
        let published = self
            .orders
            .publish("orders.OrderConfirmed.v1", &order, &confirmed);
        (order, published)
    }

    /// Somebody who has signed up, as the service knows.
    pub(crate) async fn member(&self, service: &Running) -> Shopper {
        let shopper = Shopper { id: id() };
        self.registers(&shopper);
        eventually("they are welcomed", async || {
            let told = self.told(service, &shopper).await;
            (!told.is_empty()).then_some(())
        })
        .await;
        shopper
    }

    /// What the member was told, newest first.
    pub(crate) async fn told(&self, service: &Running, shopper: &Shopper) -> Vec<Value> {
        let request = service
            .http
            .get(format!("{}/api/notifications", service.url));
        let token = self.town.member_token(&shopper.id, &[]);
        items(request.bearer_auth(token)).await
    }

    /// What everybody was told, newest first, as operators see it.
    pub(crate) async fn all(&self, http: &reqwest::Client, url: &str) -> Vec<Value> {
        let request = http.get(format!("{url}/inner/v1/notifications"));
        items(request.bearer_auth(self.town.operator_token())).await
    }

    /// The one notification of this kind about this, once it has come as far as `wanted` says.
    pub(crate) async fn notification(
        &self,
        service: &Running,
        (kind, about): (&str, &str),
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(&format!("{kind} of {about}"), async || {
            let mut all = self.all(&service.http, &service.url).await;
            all.retain(|one| one["kind"] == kind && one["about"] == about);
            assert!(all.len() < 2, "{all:?}");
            all.pop().filter(&wanted)
        })
        .await
    }
}

async fn items(request: reqwest::RequestBuilder) -> Vec<Value> {
    let answer = request.send().await.unwrap().error_for_status().unwrap();
    let page: Value = answer.json().await.unwrap();
    page["items"].as_array().unwrap().clone()
}

pub(crate) fn is_sent(notification: &Value) -> bool {
    notification["sent_at"].is_string()
}

/// The value of a series.
pub(crate) async fn metric(service: &Running, series: &str) -> f64 {
    let page = service.metrics().await;
    let name = format!("citywatch_notifications_{series} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&name));
    let value = line.unwrap_or_else(|| panic!("{series}: {page}"));
    value.parse().unwrap()
}

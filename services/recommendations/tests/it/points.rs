//! A process dies, or stops for long, at each point of an event's way. Whoever goes on counts every
//! event once.

use recommendations::Recommendations;
use reqwest::Method;
use serde_json::{Value, json};
use testing::{Feed, Process, Town, eventually};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::shelf::products;

/// Where a consumer can be struck.
const CONSUMING: [&str; 18] = [
    "catalog.after_commit",
    "catalog.after_send",
    "catalog.before_commit",
    "catalog.before_send",
    "catalog.effect",
    "catalog.park.after_commit",
    "catalog.park.before_commit",
    "catalog.retry.after_commit",
    "catalog.retry.before_commit",
    "orders.after_commit",
    "orders.after_send",
    "orders.before_commit",
    "orders.before_send",
    "orders.effect",
    "orders.park.after_commit",
    "orders.park.before_commit",
    "orders.retry.after_commit",
    "orders.retry.before_commit",
];

/// This service publishes nothing yet: nobody passes these.
const PUBLISHING: [&str; 5] = [
    "feed.after_commit",
    "feed.before_commit",
    "feed.before_send",
    "retention.after_commit",
    "retention.before_commit",
];

/// Runs at a time: each has a process or two.
const AT_ONCE: usize = 4;

/// Events of each kind.
const EVENTS: usize = 6;

struct Street {
    town: Town,
    orders: Feed,
    catalog: Feed,
    pair: [Uuid; 2],
}

impl Street {
    async fn open() -> Self {
        let town = Town::new();
        Self {
            orders: Feed::open(&town, "orders").await,
            catalog: Feed::open(&town, "catalog").await,
            pair: products(),
            town,
        }
    }

    async fn start(&self) -> Process {
        let mut instances = self.orders.instances();
        instances.extend(self.catalog.instances());
        let settings = json!({
            "instances": instances, "faults_enabled": true,
            "events_attempts": 4, "events_backoff_ms": 20, "events_backoff_max_ms": 40,
        });
        let binary = env!("CARGO_BIN_EXE_citywatch-recommendations");
        Process::start(self.town.command::<Recommendations>(binary, &settings)).await
    }

    async fn arm(&self, process: &Process, point: &str, fault: &Value) {
        let url = format!("{}/faults/{point}", process.admin_url);
        let arm = process
            .http
            .put(url)
            .bearer_auth(self.town.operator_token());
        // Where feeds are asked it passes all the time: it may die before it has answered.
        if let Ok(armed) = arm.json(fault).send().await {
            assert_eq!(armed.status(), 200, "{point}");
        }
    }

    /// Orders and looks, and in each feed one event that cannot be read.
    fn publish(&self) {
        let [a, b] = self.pair;
        for n in 0..EVENTS {
            if n == EVENTS / 2 {
                let broken = json!({ "items": 1 });
                self.orders
                    .publish("orders.OrderConfirmed.v1", "broken", &broken);
                self.catalog
                    .publish("catalog.ProductViewed.v1", "broken", &broken);
            }
            let items = json!([{ "product_id": a }, { "product_id": b }]);
            let subject = n.to_string();
            self.orders.publish(
                "orders.OrderConfirmed.v1",
                &subject,
                &json!({ "items": items }),
            );
            for product in [a, b] {
                let look = json!({ "product_id": product, "viewer": subject });
                self.catalog
                    .publish("catalog.ProductViewed.v1", &subject, &look);
            }
        }
    }

    async fn ask(&self, process: &Process, path: &str) -> Value {
        let url = format!("{}{path}", process.url);
        let request = process.http.request(Method::GET, url);
        let request = request.bearer_auth(self.town.operator_token());
        let answer = request.send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// Waits until all has been handled and what is broken is given up.
    async fn settled(&self, process: &Process) {
        eventually("all is handled", async || {
            let events = self.ask(process, "/inner/v1/events").await;
            let consumers = events["consumers"].as_array().unwrap();
            let is_done = |feed: &str, head: usize| {
                let consumer = consumers.iter().find(|it| it["feed"] == feed).unwrap();
                consumer["position"] == head && consumer["dead"] == 1
            };
            let done = is_done("orders", self.orders.head());
            (done && is_done("catalog", self.catalog.head())).then_some(())
        })
        .await;
    }

    /// Each order and each look was counted once.
    async fn assert_counted_once(&self, process: &Process, about: &str) {
        let [a, b] = self.pair;
        let counts = self.ask(process, "/inner/v1/counts").await;
        let expected = json!([
            { "product_id": a, "orders": EVENTS },
            { "product_id": b, "orders": EVENTS },
        ]);
        assert_eq!(counts["items"], expected, "{about}");
        let path = format!("/api/products/{a}/recommendations");
        let expected = json!([{ "product_id": b, "count": EVENTS }]);
        let answer = self.ask(process, &path).await;
        assert_eq!(answer["also_bought"], expected, "{about}");
        assert_eq!(answer["also_viewed"], expected, "{about}");
    }
}

async fn killed_at(point: &'static str) {
    let street = Street::open().await;
    let mut broken = street.start().await;
    let kill = json!({ "action": "kill", "lease_ms": 60_000 });
    street.arm(&broken, point, &kill).await;
    street.publish();
    eventually(&format!("the process is dead at {point}"), || {
        let is_running = broken.is_running();
        async move { (!is_running).then_some(()) }
    })
    .await;
    let other = street.start().await;
    street.settled(&other).await;
    street.assert_counted_once(&other, point).await;
}

async fn stopped_at(point: &'static str) {
    let street = Street::open().await;
    let broken = street.start().await;
    // Longer than its lease on the feed; then the kernel resumes it.
    let stop = json!({ "action": "stop", "lease_ms": 4_000, "count": 1 });
    street.arm(&broken, point, &stop).await;
    street.publish();
    let other = street.start().await;
    street.settled(&other).await;
    // When it answers again, it has done what it still had to do, or left it alone.
    street.settled(&broken).await;
    street.assert_counted_once(&broken, point).await;
    street.assert_counted_once(&other, point).await;
}

#[tokio::test]
async fn every_point_has_a_name() {
    let street = Street::open().await;
    let process = street.start().await;
    let request = process.http.get(format!("{}/faults", process.admin_url));
    let request = request.bearer_auth(street.town.operator_token());
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let named = answer["points"].as_array().unwrap().iter();
    let named = named.map(|point| point["name"].as_str().unwrap());
    let mut named: Vec<_> = named.filter(|name| !name.starts_with("call.")).collect();
    named.retain(|name| *name != "server");
    named.sort_unstable();
    let mut expected = [&CONSUMING[..], &PUBLISHING].concat();
    expected.sort_unstable();
    assert_eq!(named, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_every_event_is_counted_once() {
    each(&CONSUMING, killed_at).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_around_a_commit_for_long_every_event_is_counted_once() {
    let commits = [
        "orders.before_commit",
        "orders.after_commit",
        "catalog.before_commit",
        "catalog.after_commit",
    ];
    each(&commits, stopped_at).await;
}

async fn each<F>(points: &[&'static str], run: impl Fn(&'static str) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut runs = JoinSet::new();
    for point in points {
        if runs.len() == AT_ONCE {
            runs.join_next().await.unwrap().unwrap();
        }
        runs.spawn(run(point));
    }
    while let Some(outcome) = runs.join_next().await {
        outcome.unwrap();
    }
}

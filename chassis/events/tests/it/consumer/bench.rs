//! What the tests of consumers share.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Row as _};
use telemetry::testing::{Kind, Span};
use testing::{Feed, Published, Running, Town};

use super::service::{COUNTED, Example, Script};

/// How long anything may take that is not measured.
const PATIENCE: Duration = Duration::from_secs(60);

/// A producer that the test plays, and a place for consumers of it.
pub(crate) struct Bench {
    pub(crate) town: Town,
    pub(crate) feed: Feed,
    pub(crate) script: Script,
    name: String,
}

impl Bench {
    pub(crate) async fn open() -> Self {
        let town = Town::new();
        let feed = Feed::open(&town, "orders").await;
        let name = town.folder().to_string_lossy().into_owned();
        let script = Script::named(&name);
        Self {
            town,
            feed,
            script,
            name,
        }
    }

    /// Starts an instance of the consumer.
    pub(crate) async fn consumer(&self, more: Value) -> Running {
        let mut settings = json!({
            "instances": self.feed.instances(),
            "script": self.name,
            "events_backoff_ms": 20,
            "events_backoff_max_ms": 100,
        });
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        self.town.start::<Example>(settings).await
    }

    /// Publishes the number `n` about a subject.
    pub(crate) fn count(&self, subject: &str, n: i64) -> Published {
        self.feed.publish(COUNTED, subject, &json!({ "n": n }))
    }

    /// The numbers that had their effect, by subject, in the order in which they had it.
    pub(crate) async fn effects(&self) -> BTreeMap<String, Vec<i64>> {
        let pool = self.store().await;
        let rows = sqlx::query("SELECT subject, n FROM effects ORDER BY seq");
        let rows = rows.fetch_all(&pool).await.unwrap();
        pool.close().await;
        let mut effects: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for row in rows {
            let numbers = effects.entry(row.get("subject")).or_default();
            numbers.push(row.get("n"));
        }
        effects
    }

    /// A connection of the test's own to the consumer's store.
    pub(crate) async fn store(&self) -> AnyPool {
        sqlx::any::install_default_drivers();
        let file = self.town.folder().join("example.db");
        let pool = AnyPoolOptions::new().max_connections(1);
        // As in the stores of services: the pool's own maintenance may never end.
        let pool = pool.idle_timeout(None).max_lifetime(None);
        let pool = pool.connect(&format!("sqlite:{}", file.display())).await;
        let pool = pool.unwrap();
        let patience = sqlx::query("PRAGMA busy_timeout = 10000");
        patience.execute(&pool).await.unwrap();
        pool
    }

    /// Waits until the effects are these.
    pub(crate) async fn settled(&self, expected: &[(&str, &[i64])]) {
        let expected = expected
            .iter()
            .map(|(subject, numbers)| ((*subject).to_owned(), numbers.to_vec()));
        let expected: BTreeMap<_, _> = expected.collect();
        let mut last = BTreeMap::new();
        let settles = async {
            loop {
                last = self.effects().await;
                if last == expected {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let settled = tokio::time::timeout(PATIENCE, settles).await;
        assert!(settled.is_ok(), "expected {expected:?}, there is {last:?}");
    }
}

/// Waits until `probe` gives a value.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let tries = async {
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, tries).await;
    found.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}

/// What an instance answers to the operator.
pub(crate) async fn operator(running: &Running, method: Method, path: &str) -> Response {
    let url = format!("{}{path}", running.url);
    let request = running.http.request(method, url);
    let request = request.bearer_auth(running.town().operator_token());
    request.send().await.unwrap()
}

/// How it follows its one feed.
pub(crate) async fn consumer_state(running: &Running) -> Value {
    let answer = operator(running, Method::GET, "/inner/v1/events").await;
    assert_eq!(answer.status(), 200);
    let overview: Value = answer.json().await.unwrap();
    overview["consumers"][0].clone()
}

/// The events that failed.
pub(crate) async fn letters(running: &Running) -> Vec<Value> {
    let answer = operator(running, Method::GET, "/inner/v1/events/dead").await;
    assert_eq!(answer.status(), 200);
    let mut page: Value = answer.json().await.unwrap();
    page["items"].as_array_mut().unwrap().split_off(0)
}

/// One line of the metrics page.
pub(crate) async fn metric(running: &Running, series: &str) -> f64 {
    let page = running.metrics().await;
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    let value = line.unwrap_or_else(|| panic!("no {series} in\n{page}"));
    value.trim().parse().unwrap()
}

/// The consumer's attempts at an event, by start.
pub(crate) async fn attempts(running: &Running, event: &Published) -> Vec<Span> {
    let mut spans = running.spans().await;
    spans.retain(|span| {
        span.kind == Kind::Consumer && span.text("messaging.message.id") == Some(&*event.id)
    });
    spans.sort_by_key(|span| span.start_nanos);
    spans
}

//! The half of the city that happens after the answer: every edge by which events reach somebody,
//! the whole trace of an order, an event that cannot be taken, a consumer that was away.

mod away;
mod edges;
mod poison;
mod promises;
pub(crate) mod trace;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::harness::{City, within};

/// In which whatever follows from something must have followed, on a machine with much else to do.
const FOLLOWS: Duration = Duration::from_secs(60);

/// Parcels that nobody has to wait for.
const QUICK_PARCELS: [(&str, &str); 2] = [
    ("CITYWATCH_SHIPPING__DISPATCH_AFTER_MS", "300"),
    ("CITYWATCH_SHIPPING__DELIVER_AFTER_MS", "300"),
];

impl City {
    /// Asks as a member until the answer is as it should be; gives it.
    #[track_caller]
    pub(crate) fn until<'a>(
        &'a self,
        token: &'a str,
        path: &'a str,
        holds: impl Fn(&Value) -> bool + 'a,
    ) -> impl Future<Output = Value> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let mut last = Value::Null;
            let held = within(FOLLOWS, async || {
                let answer = self.ask(Method::GET, path, token, None).await;
                if let Ok(answer) = answer
                    && answer.status() == StatusCode::OK
                {
                    last = answer.json().await.unwrap_or_default();
                }
                holds(&last)
            });
            let held = held.await;
            assert!(
                held.is_some(),
                "{caller}: {path}: {last:#}\n{}",
                self.said()
            );
            last
        }
    }

    /// What every service says of its events; `citywatch events lag` in JSON.
    pub(crate) async fn standings(&self) -> Value {
        let output = self.citywatch(&["events", "lag", "--json"]).await;
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"))
    }

    /// How far a service is with another's events.
    pub(crate) async fn standing(&self, service: &str, feed: &str) -> Value {
        let standings = self.standings().await;
        let all = standings["services"].as_array().unwrap();
        let of = all.iter().find(|one| one["service"] == service);
        let consumers = of.and_then(|of| of["consumers"].as_array());
        let consumer = consumers.and_then(|all| all.iter().find(|one| one["feed"] == feed));
        consumer
            .cloned()
            .unwrap_or_else(|| panic!("{service} <- {feed}: {standings:#}"))
    }

    /// What was put aside, as `citywatch events dead` tells.
    pub(crate) async fn letters(&self) -> Vec<Value> {
        let printed = self.prints(&["events", "dead", "--json"]).await;
        serde_json::from_str(&printed).unwrap()
    }

    /// Kinds of all messages about something that a member has got.
    pub(crate) async fn told(&self, token: &str, about: &str) -> Vec<String> {
        let answer = self
            .ask(Method::GET, "/api/notifications?limit=100", token, None)
            .await;
        let page: Value = answer.unwrap().json().await.unwrap_or_default();
        kinds(&page, about)
    }
}

/// Kinds of the messages of a page that are about something, sorted.
fn kinds(page: &Value, about: &str) -> Vec<String> {
    let items = page["items"].as_array().into_iter().flatten();
    let about = items.filter(|item| item["about"] == about);
    let mut kinds: Vec<String> = about
        .map(|item| item["kind"].as_str().unwrap_or_default().to_owned())
        .collect();
    kinds.sort_unstable();
    kinds
}

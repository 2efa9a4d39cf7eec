//! The city with the real Collector, Jaeger, Prometheus and Alertmanager beside it: what its users
//! run already. Ports are its own and ids are this run's, so that no other run can answer for it.

mod accounts;
mod alerts;
mod outages;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use testing::engines;

use super::harness::{City, trace_id, within};
use super::prometheus::{Sample, ask};

/// A scrape, a flush of the collector and a judgement of a trace, with time to spare.
pub(crate) const SEEN: Duration = Duration::from_secs(60);

const ENGINES: [(&str, &str); 4] = [
    ("otelcol", "otelcol"),
    ("jaeger", "jaeger"),
    ("prometheus", "prometheus"),
    ("alertmanager", "alertmanager"),
];

/// A city with its stack; none if the machine lacks a program, which is then a counted skip.
pub(crate) async fn raise(arguments: &[&str], variables: &[(&str, &str)]) -> Option<City> {
    let there = |(engine, program): &(&str, &str)| engines::program(engine, program).is_some();
    if !ENGINES.iter().all(there) {
        return None;
    }
    // Nobody here has a request that takes longer.
    let judged = ("COLLECTOR_DECISION_WAIT", "2s");
    let arguments = [&["--stack"], arguments].concat();
    Some(City::raise(&arguments, &[&[judged], variables].concat()).await)
}

/// The services of the city that answer HTTP to others, and are none of those that watch.
pub(crate) fn services(city: &City) -> BTreeSet<String> {
    let state = city.state();
    let processes = state["processes"].as_object().unwrap().values();
    let names = processes.map(|process| process["service"].as_str().unwrap().to_owned());
    let others = ["acquirer", "observatory", "otel-collector"];
    names
        .filter(|name| !others.contains(&name.as_str()))
        .filter(|name| ENGINES.iter().all(|(engine, _)| engine != name))
        .collect()
}

/// What the API of the city's Prometheus answers.
pub(crate) async fn prometheus(city: &City, api: &str, question: &[(&str, &str)]) -> Value {
    let answer = ask(&city.http, city.address("prometheus"), api, question).await;
    answer.unwrap_or_else(|error| panic!("{question:?}: {error}"))
}

/// What it answers to an instant query.
pub(crate) async fn query(city: &City, expression: &str) -> Vec<Sample> {
    let answer = super::prometheus::query(&city.http, city.address("prometheus"), expression).await;
    answer.unwrap_or_else(|error| panic!("{expression}: {error}"))
}

/// The same by one label: `sum by (job) (…)`.
pub(crate) async fn query_by(city: &City, label: &str, expression: &str) -> BTreeMap<String, f64> {
    let samples = query(city, expression).await.into_iter();
    samples
        .map(|mut sample| {
            let by = sample.labels.remove(label).unwrap_or_default();
            (by, sample.value)
        })
        .collect()
}

/// The only sample's value; 0 if there is none.
pub(crate) async fn query_one(city: &City, expression: &str) -> f64 {
    let samples = query(city, expression).await;
    assert!(samples.len() <= 1, "{expression}: {samples:?}");
    samples.first().map_or(0.0, |sample| sample.value)
}

/// A span as two tools must agree on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) service: String,
    operation: String,
    id: String,
    parent: Option<String>,
}

/// A trace by Jaeger's v1 API, which the observatory speaks too; empty if it is not there.
pub(crate) async fn spans(city: &City, tool: &str, id: &str) -> BTreeSet<Span> {
    let url = format!("{}/api/traces/{id}", city.address(tool));
    let Ok(answer) = city.http.get(url).send().await else {
        return BTreeSet::new();
    };
    let answer: Value = answer.json().await.unwrap_or_default();
    let trace = &answer["data"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spans = trace["spans"].as_array().into_iter().flatten();
    spans
        .map(|span| {
            let parents = span["references"].as_array().into_iter().flatten();
            // A parent that is linked to as well is a link of the same trace.
            let mut parents = parents.filter(|parent| parent["traceID"] == span["traceID"]);
            let process = &trace["processes"][text(&span["processID"])];
            Span {
                service: text(&process["serviceName"]),
                operation: text(&span["operationName"]),
                id: text(&span["spanID"]),
                parent: parents.next().map(|parent| text(&parent["spanID"])),
            }
        })
        .collect()
}

/// Waits until Jaeger and the observatory show the same spans of a trace, some of each of these
/// services; gives them.
pub(crate) async fn same_in_both(city: &City, id: &str, of: &[&str]) -> BTreeSet<Span> {
    let both = async || tokio::join!(spans(city, "jaeger", id), spans(city, "observatory", id));
    let all = |found: &BTreeSet<Span>| {
        of.iter()
            .all(|service| found.iter().any(|span| span.service == *service))
    };
    let same = within(SEEN, async || {
        let (jaeger, observatory) = both().await;
        jaeger == observatory && all(&jaeger)
    });
    let same = same.await;
    let (jaeger, observatory) = both().await;
    assert!(
        same.is_some() && jaeger == observatory,
        "{id}\nJaeger: {jaeger:#?}\nobservatory: {observatory:#?}\n{}",
        city.said()
    );
    jaeger
}

/// Whoever takes part in an order.
pub(crate) const OF_AN_ORDER: [&str; 6] = [
    "gateway",
    "orders",
    "cart",
    "catalog",
    "inventory",
    "payments",
];

/// Makes the bank take its time, so that an order is among the slow traces, which are all kept.
pub(crate) async fn slow_bank(city: &City, delay_ms: u64) {
    let token = std::fs::read_to_string(city.data().join("acquirer-token")).unwrap();
    let url = format!("{}/settings", city.address("acquirer"));
    let settings = json!({"delay_ms": delay_ms});
    let request = city.http.put(url).bearer_auth(token.trim());
    let answer = request.json(&settings).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

/// Puts a product in the cart and orders it; gives the order's trace.
pub(crate) async fn order(city: &City, token: &str, key: &str) -> String {
    let products: Value = ok(city.get("/api/products").await.unwrap()).await;
    let product = products["items"][0]["id"].as_str().unwrap();
    let gateway = city.address("gateway");
    let send = |method: Method, path: String, body: Value| {
        let request = city.http.request(method, format!("{gateway}{path}"));
        let request = request.bearer_auth(token).json(&body);
        request.header("idempotency-key", key).send()
    };
    let item = format!("/api/cart/items/{product}");
    ok(send(Method::PUT, item, json!({"quantity": 1}))
        .await
        .unwrap())
    .await;
    let answer = send(Method::POST, "/api/orders".into(), json!({}))
        .await
        .unwrap();
    let id = trace_id(&answer);
    let order = ok(answer).await;
    assert_eq!(order["status"], "confirmed", "{order}\n{}", city.said());
    id
}

async fn ok(answer: Response) -> Value {
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(
        [StatusCode::OK, StatusCode::CREATED].contains(&status),
        "{status}: {text}"
    );
    serde_json::from_str(&text).unwrap()
}

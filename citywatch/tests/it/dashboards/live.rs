//! Every query of the dashboards, every rule and every query of the runbooks, asked of a real
//! Prometheus that scrapes a real city under load, the collector, Jaeger and Alertmanager.
//!
//! A query has to answer with a number, or stands in `grafana/silent.toml` with what makes it
//! answer. That list is minimal: what is on it and answers all the same fails the test.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use testing::engines::program;
use testing::free_port;
use tokio::process::Child;

use super::{Query, RATE_INTERVAL, dashboards, provisioning, queries};
use crate::harness::{City, within};
use crate::prometheus::{Expression, Prometheus, Sample, repository, start};
use crate::runbooks;

/// Scrapes come each 5 s, rates need two of them, and the collector counts spans each 15 s.
const ANSWERED: Duration = Duration::from_secs(120);

/// What answers nothing while nothing is broken.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Silent {
    query: Vec<SilentQuery>,
    alert: Vec<SilentAlert>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SilentQuery {
    dashboard: String,
    place: String,
    letter: String,
    /// The drill or fault that makes it answer.
    until: String,
    /// Whether its metric, too, is only born then.
    #[serde(default)]
    born_then: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SilentAlert {
    name: String,
    until: String,
}

impl Silent {
    fn read() -> Self {
        let path = repository().join("grafana/silent.toml");
        toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    fn query(&self, query: &Query) -> Option<&SilentQuery> {
        self.query.iter().find(|silent| {
            silent.dashboard == query.dashboard
                && silent.place == query.place
                && silent.letter == query.letter
        })
    }
}

/// The city and all that watches it.
struct Watched {
    city: City,
    prometheus: Prometheus,
    _load: Child,
    _watchers: Vec<Child>,
    _folder: TempDir,
}

/// A repository's file with this machine's addresses for those of compose.yml.
fn moved(path: &str, addresses: &[(&str, String)]) -> String {
    let mut text = fs::read_to_string(repository().join(path)).unwrap();
    for (there, here) in addresses {
        assert!(text.contains(there), "{path} has no {there}");
        text = text.replace(there, here);
    }
    text
}

fn here(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

impl Watched {
    /// None: a program is not installed.
    async fn raise() -> Option<Self> {
        let collector = program("otelcol", "otelcol")?;
        let jaeger = program("jaeger", "jaeger")?;
        let alertmanager = program("alertmanager", "alertmanager")?;
        program("prometheus", "prometheus")?;
        let folder = tempfile::tempdir().unwrap();
        let log = |name: &str| folder.path().join(name);

        let [
            otlp,
            spans,
            telemetry,
            observatory,
            from_collector,
            jaeger_telemetry,
            people,
            watch,
        ] = std::array::from_fn(|_| free_port());
        let variables = [
            ("COLLECTOR_DECISION_WAIT", "2s".to_owned()),
            ("COLLECTOR_HEALTH", here(0)),
            ("COLLECTOR_OTLP_GRPC", here(0)),
            ("COLLECTOR_OTLP_HTTP", here(otlp)),
            ("COLLECTOR_SPAN_METRICS", here(spans)),
            ("COLLECTOR_TELEMETRY_HOST", "127.0.0.1".to_owned()),
            ("COLLECTOR_TELEMETRY_PORT", telemetry.to_string()),
            ("OBSERVATORY_OTLP_GRPC", here(observatory)),
            ("JAEGER_OTLP_GRPC", here(from_collector)),
            ("JAEGER_HEALTH", here(0)),
            ("JAEGER_HTTP", here(0)),
            ("JAEGER_GRPC", here(0)),
            ("JAEGER_TELEMETRY_HOST", "127.0.0.1".to_owned()),
            ("JAEGER_TELEMETRY_PORT", jaeger_telemetry.to_string()),
        ];
        let configured = |path: &str| [format!("--config={}", repository().join(path).display())];
        let watchers = vec![
            start(
                &jaeger,
                &configured("deploy/jaeger.yaml"),
                &variables,
                &log("jaeger.log"),
            ),
            start(
                &collector,
                &configured("otel-collector.yaml"),
                &variables,
                &log("collector.log"),
            ),
            start(
                &alertmanager,
                &[
                    format!(
                        "--config.file={}",
                        repository().join("prometheus/alertmanager.yml").display()
                    ),
                    format!("--storage.path={}", log("alertmanager").display()),
                    format!("--web.listen-address={}", here(people)),
                    "--cluster.listen-address=".to_owned(),
                ],
                &[],
                &log("alertmanager.log"),
            ),
        ];
        let city = City::raise(
            &[],
            &[
                (
                    "OTEL_EXPORTER_OTLP_ENDPOINT",
                    &format!("http://{}", here(otlp)),
                ),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                (
                    "CITYWATCH_OBSERVATORY__OTLP_GRPC_LISTEN",
                    &here(observatory),
                ),
            ],
        )
        .await;
        let load = city
            .command(&["load", "--rate", "20/s", "--duration", "10m"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = city.address("registry").trim_start_matches("http://");
        let rules = repository().join("prometheus/rules/*.yml");
        let configuration = moved(
            "prometheus/prometheus.yml",
            &[
                ("registry:8500", registry.to_owned()),
                ("otel-collector:8888", here(telemetry)),
                ("otel-collector:8889", here(spans)),
                ("jaeger:8888", here(jaeger_telemetry)),
                ("localhost:9090", here(watch)),
                ("alertmanager:9093", here(people)),
                ("rules/*.yml", rules.display().to_string()),
            ],
        );
        let prometheus = Prometheus::with(&configuration, watch).await?;
        Some(Self {
            city,
            prometheus,
            _load: load,
            _watchers: watchers,
            _folder: folder,
        })
    }

    async fn numbers(&self, expression: &str) -> Vec<Sample> {
        let mut samples = self
            .prometheus
            .query(expression)
            .await
            .unwrap_or_else(|error| panic!("{expression}: {error}"));
        samples.retain(|sample| sample.value.is_finite());
        samples
    }

    /// Those that have no number after as long as they may take.
    async fn silent_of(&self, all: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut waiting = all;
        within(ANSWERED, async || {
            let mut silent = Vec::new();
            for (name, expression) in waiting.drain(..) {
                if self.numbers(&expression).await.is_empty() {
                    silent.push((name, expression));
                }
            }
            waiting = silent;
            if waiting.is_empty() {
                return true;
            }
            // A scrape has to come before it is worth asking again.
            tokio::time::sleep(Duration::from_millis(500)).await;
            false
        })
        .await;
        waiting
    }
}

/// Metrics that queries ask for and nobody emits.
async fn unknown(prometheus: &Prometheus, all: &[(String, String)]) -> BTreeSet<String> {
    let names = prometheus.names().await;
    let mut missing = BTreeSet::new();
    for (name, expression) in all {
        let parsed: Expression = prometheus.parse(expression).await.unwrap();
        let asked = parsed.metrics();
        assert!(
            !asked.is_empty() || expression.starts_with("vector("),
            "{name}: {expression}"
        );
        missing.extend(asked.difference(&names).cloned());
    }
    missing
}

fn all_queries() -> Vec<Query> {
    dashboards().iter().flat_map(queries).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_city_under_load_answers_every_query() {
    let Some(watched) = Watched::raise().await else {
        return;
    };
    let silent = Silent::read();
    let asked = all_queries();
    every_query_answers(&watched, &silent, &asked).await;
    every_rule_answers(&watched, &silent).await;
    every_metric_is_emitted(&watched, &silent, &asked).await;
    a_metric_that_nobody_emits_is_found(&watched).await;
    edges_tell_callees_apart(&watched).await;
    watched.city.stop().await;
}

async fn every_query_answers(watched: &Watched, silent: &Silent, asked: &[Query]) {
    let (listed, expected): (Vec<&Query>, Vec<&Query>) = asked
        .iter()
        .partition(|query| silent.query(query).is_some());
    assert_eq!(
        listed.len(),
        silent.query.len(),
        "silent.toml lists what no dashboard asks"
    );
    let mut expected: Vec<_> = expected
        .iter()
        .map(|query| (query.name(), query.filled()))
        .collect();
    expected.extend(provisioning::queries());
    let count = expected.len();
    let without = watched.silent_of(expected).await;
    assert!(
        without.is_empty(),
        "no number for {without:#?}\n{}",
        watched.city.said()
    );
    for query in listed {
        let found = watched.numbers(&query.filled()).await;
        let name = query.name();
        assert!(
            found.is_empty(),
            "{name} answers: take it off silent.toml: {found:?}"
        );
        assert!(
            !silent.query(query).unwrap().until.is_empty(),
            "{name}: until what?"
        );
    }
    println!(
        "{count} queries answer, {} are listed as silent",
        silent.query.len()
    );
}

async fn every_rule_answers(watched: &Watched, silent: &Silent) {
    let rules = watched.prometheus.rules().await;
    let is_silent = |name: &str| silent.alert.iter().any(|alert| alert.name == name);
    let (quiet, loud): (Vec<_>, Vec<_>) = rules
        .iter()
        .partition(|rule| rule.alert && is_silent(&rule.name));
    assert_eq!(
        quiet.len(),
        silent.alert.len(),
        "silent.toml lists what is no alert"
    );
    let mut expected = Vec::new();
    for rule in loud {
        expected.push((rule.name.clone(), rule.expression.clone()));
        if !rule.alert {
            expected.push((rule.name.clone(), rule.name.clone()));
        }
    }
    let without = watched.silent_of(expected).await;
    assert!(without.is_empty(), "no number for {without:#?}");
    for rule in quiet {
        let found = watched.numbers(&rule.expression).await;
        assert!(found.is_empty(), "{} fires: {found:?}", rule.name);
    }
    for alert in &silent.alert {
        assert!(!alert.until.is_empty(), "{}: until what?", alert.name);
    }
    for rule in watched.prometheus.rules().await {
        assert_eq!(rule.last_error, None, "{}", rule.name);
    }
}

async fn every_metric_is_emitted(watched: &Watched, silent: &Silent, asked: &[Query]) {
    let born_later = |query: &&Query| silent.query(query).is_some_and(|silent| silent.born_then);
    let (later, now): (Vec<&Query>, Vec<&Query>) = asked.iter().partition(born_later);
    let pairs = |queries: &[&Query]| -> Vec<(String, String)> {
        let pair = |query: &&Query| (query.name(), query.filled());
        queries.iter().map(pair).collect()
    };
    let mut all = pairs(&now);
    for rule in watched.prometheus.rules().await {
        all.push((rule.name, rule.expression));
    }
    all.extend(runbooks::queries());
    all.extend(provisioning::queries());
    // ALERTS is Prometheus' own, and there is always the one that always fires.
    assert_eq!(unknown(&watched.prometheus, &all).await, BTreeSet::new());
    for query in pairs(&later) {
        let missing = unknown(&watched.prometheus, std::slice::from_ref(&query)).await;
        assert!(
            !missing.is_empty(),
            "{} is there already: not `born_then`",
            query.0
        );
    }
}

async fn a_metric_that_nobody_emits_is_found(watched: &Watched) {
    let renamed = "http_server_requests_seconds_count";
    for mut dashboard in dashboards() {
        let page = dashboard.to_string();
        let changed = page.replace("http_server_request_duration_seconds_count", renamed);
        let found = if changed == page {
            // One that asks for none of that: a query is added.
            dashboard["panels"][0]["targets"] =
                json!([{"refId": "A", "expr": format!("sum({renamed})")}]);
            queries(&dashboard)
        } else {
            queries(&serde_json::from_str(&changed).unwrap())
        };
        let pairs: Vec<_> = found
            .iter()
            .map(|query| (query.name(), query.filled()))
            .collect();
        let missing = unknown(&watched.prometheus, &pairs).await;
        assert!(
            missing.contains(renamed),
            "{}: {missing:?}",
            dashboard["uid"]
        );
        let silent = watched
            .numbers(&format!("sum(rate({renamed}[{RATE_INTERVAL}]))"))
            .await;
        assert!(silent.is_empty());
    }
}

/// Services are told by name, what has only an address by that, and two at one address by port.
async fn edges_tell_callees_apart(watched: &Watched) {
    let city = &watched.city;
    let address = |part: &str| city.address(part).trim_start_matches("http://").to_owned();
    let expected = [
        ("gateway", "catalog".to_owned()),
        ("orders", "payments".to_owned()),
        ("payments", address("acquirer")),
        ("payments", address("registry")),
    ]
    .map(|(job, callee)| (job.to_owned(), callee));
    // A rate needs two scrapes of whoever calls, and a machine that is busy may miss some.
    let mut edges = BTreeSet::new();
    let found = within(ANSWERED, async || {
        let rates = watched
            .numbers("job_callee:http_client_requests:rate1m")
            .await;
        edges = rates
            .iter()
            .map(|edge| (edge.labels["job"].clone(), edge.labels["callee"].clone()))
            .collect();
        expected.iter().all(|edge| edges.contains(edge))
    })
    .await;
    let down = watched.numbers("up == 0").await;
    assert!(
        found.is_some(),
        "of {expected:?} only {edges:?}; not scraped: {down:?}\n{}",
        city.said()
    );
}

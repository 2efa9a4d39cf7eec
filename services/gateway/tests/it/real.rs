//! The real binary as a process of its own, and the proof at its end that nothing harmed it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use axum::Router;
use serde_json::{Value, json};
use testing::{Process, Town, eventually};

use crate::behind::Behind;
use crate::raw::{Answer, Client};
use crate::town::{SERVICE, routes};

/// Methods that may stand on a metrics page: those of HTTP, and one word for all others.
const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "_OTHER",
];

pub(crate) struct Real {
    pub(crate) process: Process,
    pub(crate) town: Town,
    /// The status of every answer that we saw, by trace.
    statuses: BTreeMap<String, u16>,
    /// Takes its spans: what is hostile must get through the exporter too.
    _spans: Behind,
}

/// A gateway with these settings over two workers and the routes of [`street`](crate::town).
pub(crate) async fn real(settings: &Value, instances: &[SocketAddr]) -> Real {
    let town = Town::new();
    let spans = Behind::router(Router::new().fallback(async || ""));
    let mut all = json!({
        "workers": 2,
        "instances": {SERVICE: instances},
        "routes": routes(),
        "telemetry_shutdown_ms": 5_000,
    });
    for (key, value) in settings.as_object().unwrap() {
        all[key] = value.clone();
    }
    let binary = env!("CARGO_BIN_EXE_citywatch-gateway");
    let mut command = town.command::<gateway::Gateway>(binary, &all);
    command
        .env_remove("OTEL_SDK_DISABLED")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        .env(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://{}", spans.address),
        );
    Real {
        process: Process::start(command).await,
        town,
        statuses: BTreeMap::new(),
        _spans: spans,
    }
}

impl Real {
    /// A fresh connection.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.process.address()).await
    }

    /// Remembers an answer, which the access log must name.
    pub(crate) fn saw(&mut self, answer: &Answer) {
        let known = self
            .statuses
            .insert(answer.trace_id().to_owned(), answer.status);
        assert_eq!(known, None, "a trace of its own");
    }

    /// Says one thing on a connection of its own.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        let answer = self.client().await.say(bytes).await;
        self.saw(&answer);
        answer
    }

    /// The value of one series on the metrics page.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        crate::town::value(&self.process.metrics().await, series)
    }

    /// The names and labels of every series, without the values. Labels that a request has a
    /// say in are from closed sets.
    pub(crate) async fn series(&self) -> BTreeSet<String> {
        let page = self.process.metrics().await;
        // The exporter measures its own requests, and does so from its first one on.
        let own = "otel_sdk_exporter_operation_duration_seconds";
        let samples = page.lines();
        let samples = samples.filter(|line| !line.starts_with('#') && !line.starts_with(own));
        let series: BTreeSet<String> = samples
            .filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()))
            .collect();
        let patterns = routes();
        let patterns = patterns.as_array().unwrap().iter();
        let patterns: Vec<&str> = patterns
            .filter_map(|route| route["path"].as_str())
            .collect();
        for (label, allowed) in [
            ("http_request_method", &METHODS[..]),
            ("http_route", &patterns[..]),
        ] {
            let start = format!("{label}=\"");
            let values = series.iter().filter_map(|line| {
                let (_, rest) = line.split_once(&start)?;
                Some(rest.split_once('"')?.0)
            });
            let values: BTreeSet<&str> = values.collect();
            assert!(!values.is_empty(), "no {label}");
            let strange = values.iter().find(|value| !allowed.contains(value));
            assert_eq!(strange, None, "{label}");
        }
        series
    }

    /// Waits until the access log has a line for each answer that was seen, then ends the
    /// process. It is the one that was started, it never panicked nor complained, it saw no
    /// request but those that we made, and no span of them was lost.
    pub(crate) async fn ends_unharmed(mut self) {
        assert!(self.process.is_running());
        let statuses = std::mem::take(&mut self.statuses);
        let logged = eventually("every answer is in the access log", || async {
            let logged = access_lines(&self.process.said());
            statuses
                .keys()
                .all(|trace| logged.contains_key(trace))
                .then_some(logged)
        })
        .await;
        // Server errors among them are those that were answered, and expected, by name.
        assert_eq!(logged, statuses);
        let ended = self.process.stop().await;
        assert!(ended.status.success(), "{:?}", ended.status);
        for line in &ended.said {
            assert!(!line.contains("panicked"), "{line}");
            assert!(!line.contains("\"level\":\"ERROR\""), "{line}");
        }
        let stopped = ended.said.iter().find(|line| line.starts_with("STOPPED"));
        let stopped = stopped.expect("its last word");
        assert!(stopped.ends_with("; 0 lost"), "{stopped}");
    }
}

/// The status of each request in the access log, by trace.
fn access_lines(said: &[String]) -> BTreeMap<String, u16> {
    let lines = said
        .iter()
        .filter(|line| line.contains("\"target\":\"access\""));
    lines
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            let status = line["http.response.status_code"].as_u64().unwrap();
            let trace = line["trace_id"].as_str().unwrap().to_owned();
            (trace, u16::try_from(status).unwrap())
        })
        .collect()
}

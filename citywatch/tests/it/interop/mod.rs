//! A trace through a foreign service: Rust, the official Python SDK, Rust again; one tree in the
//! observatory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use axum::Router;
use axum::routing::get;
use observatory::Observatory;
use serde_json::{Value, json};
use telemetry::{Baggage, Service, Settings, Telemetry, context};
use testing::{Running, engines, eventually};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::harness::trace_id;

/// Most of it may not go through a header as it is. No space: Python sends it as a plus sign, which
/// the recommendation does not know.
const CUSTOMER: &str = "Zoë,Söhne&Co;+100%";

#[tokio::test]
async fn a_request_through_a_service_in_python_is_one_tree() {
    let Some(python) = engines::program("opentelemetry-python", "bin/python3") else {
        return;
    };
    let ports = json!({"otlp_grpc_listen": "127.0.0.1:0", "otlp_http_listen": "127.0.0.1:0"});
    let observatory = testing::start::<Observatory>(ports).await;
    let otlp = format!("http://{}", observatory.named_address("otlp_http"));

    let stock = serve(&telemetry("stock", &otlp), |_| {
        get(|| async {
            let baggage = context::baggage();
            let said = |key| baggage.get(key).unwrap_or("nothing").to_owned();
            format!("{}\n{}", said("customer"), said("currency"))
        })
    })
    .await;
    let (price, mut service) = start(&python, &otlp, &stock).await;
    let shop = serve(&telemetry("shop", &otlp), |telemetry| {
        let client = telemetry.client(reqwest::Client::new());
        get(move || async move {
            let baggage = Baggage::EMPTY.with("customer", CUSTOMER);
            let asked = context::with_baggage(baggage, client.get(&price).send());
            asked.await.unwrap().text().await.unwrap()
        })
    })
    .await;

    let answer = observatory.http.get(&shop).send().await.unwrap();
    let id = trace_id(&answer);
    let seen = answer.text().await.unwrap();
    assert_eq!(
        seen,
        format!("{CUSTOMER}\n{CUSTOMER}\nKRW"),
        "what Python saw, and what the last service did"
    );

    let tree = eventually("a trace of five spans", async || {
        tree(&observatory, &id).await.filter(|tree| tree.len() == 5)
    })
    .await;
    assert_eq!(
        tree,
        [
            "shop server GET /",
            "shop client GET",
            "price server GET /price",
            "price client GET",
            "stock server GET /",
        ]
    );
    drop(service.stdin.take());
    assert!(service.wait().await.unwrap().success());
    observatory.stop().await;
}

fn telemetry(name: &str, otlp: &str) -> Telemetry {
    let settings = Settings::from_vars(|variable| match variable {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(otlp.to_owned()),
        "OTEL_BSP_SCHEDULE_DELAY" => Some("20".to_owned()),
        _ => None,
    });
    Telemetry::builder(Service::new(name, "1.0.0"))
        .settings(settings.unwrap())
        .without_subscriber()
        .build()
        .unwrap()
}

/// A service with one route; its URL.
async fn serve(
    telemetry: &Telemetry,
    route: impl FnOnce(&Telemetry) -> axum::routing::MethodRouter,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new()
        .route("/", route(telemetry))
        .layer(telemetry.server_layer());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// The service in Python, which calls `next`; its URL.
async fn start(python: &Path, otlp: &str, next: &str) -> (String, Child) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/interop/service.py");
    let mut command = Command::new(python);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    let mut service = command
        .arg(script)
        .arg(next)
        .env("OTEL_SERVICE_NAME", "price")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", otlp)
        .env("OTEL_PROPAGATORS", "tracecontext,baggage")
        .env("OTEL_BSP_SCHEDULE_DELAY", "20")
        .env("no_proxy", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
    let port = lines
        .next_line()
        .await
        .unwrap()
        .expect("it says where it listens");
    (format!("http://127.0.0.1:{port}/price"), service)
}

/// The spans of a trace from its root down: each has the one before as its only parent.
async fn tree(observatory: &Running, id: &str) -> Option<Vec<String>> {
    let url = format!("{}/api/traces/{id}", observatory.url);
    let answer: Value = observatory
        .http
        .get(url)
        .send()
        .await
        .ok()?
        .json()
        .await
        .ok()?;
    let trace = answer["data"].get(0)?;
    let mut by_parent = BTreeMap::new();
    for span in trace["spans"].as_array()? {
        let references = span["references"].as_array()?;
        assert!(references.len() <= 1, "{span}");
        let parent = references
            .first()
            .map_or("", |parent| parent["spanID"].as_str().unwrap());
        let other = by_parent.insert(parent, span);
        assert!(other.is_none(), "two children of one parent: {trace}");
    }
    let mut spans = Vec::new();
    let mut parent = "";
    while let Some(span) = by_parent.remove(parent) {
        let tags = span["tags"].as_array()?;
        let kind = tags.iter().find(|tag| tag["key"] == "span.kind")?;
        let process = &trace["processes"][span["processID"].as_str()?];
        let service = process["serviceName"].as_str()?;
        let (kind, name) = (kind["value"].as_str()?, span["operationName"].as_str()?);
        spans.push(format!("{service} {kind} {name}"));
        parent = span["spanID"].as_str()?;
    }
    // Whoever is left has a parent that has not arrived yet.
    by_parent.is_empty().then_some(spans)
}

//! The examples, each as the process that a reader would start.

use crate::receiver::{Requests, of, receiver};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// `cargo test` builds the examples into a folder beside the one with this test's executable.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let example = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        example.exists(),
        "{name} is not built: run all tests of the crate, or `cargo build --examples` first"
    );
    example
}

/// Starts it with nothing in its environment but where the collector is.
fn start(name: &str, arguments: &[&str], endpoint: &str) -> (Child, Lines) {
    let mut child = Command::new(example(name))
        .args(arguments)
        .env_clear()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .env("OTEL_METRICS_EXPORTER", "otlp")
        .env("OTEL_LOGS_EXPORTER", "otlp")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines)
}

type Lines = tokio::io::Lines<BufReader<ChildStdout>>;

/// What is left to read, once the process has ended well.
async fn ended(mut child: Child, mut lines: Lines) -> Vec<String> {
    let mut rest = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        rest.push(line);
    }
    assert!(child.wait().await.unwrap().success(), "{rest:#?}");
    rest
}

/// All spans, by name.
fn spans(requests: &Requests) -> Vec<Span> {
    let mut spans: Vec<_> = of::<ExportTraceServiceRequest>(requests, "traces")
        .into_iter()
        .flat_map(|(_, request)| request.resource_spans)
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect();
    spans.sort_by(|one, other| one.name.cmp(&other.name));
    spans
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} among {names:?}"))
}

fn is_called(parent: &Span, child: &Span) -> bool {
    parent.trace_id == child.trace_id && parent.span_id == child.parent_span_id
}

#[tokio::test]
async fn a_service_in_thirty_lines() {
    let (endpoint, requests) = receiver().await;
    let (child, mut lines) = start("service", &["127.0.0.1:0"], &endpoint);
    let listening = lines.next_line().await.unwrap().unwrap();
    let listening: serde_json::Value = serde_json::from_str(&listening).unwrap();
    let stock = listening["stock"].as_str().unwrap();
    let base = stock.strip_suffix("/stock").unwrap();
    let client = reqwest::Client::new();
    let order = client.get(format!("{base}/orders/7"));
    let order = order.header("traceparent", TRACEPARENT).send().await;
    assert_eq!(order.unwrap().text().await.unwrap(), "in stock");
    let page = client.get(format!("{base}/metrics"));
    let page = page.header("accept", "application/openmetrics-text");
    let page = page.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("# {trace_id=\"0af7651916cd43dd8448eb211c80319c\""));
    let id = child.id().unwrap().cast_signed();
    kill_process(Pid::from_raw(id).unwrap(), Signal::INT).unwrap();
    let rest = ended(child, lines).await;

    let line = rest.iter().find(|line| line.contains("is asked for"));
    assert!(line.unwrap().contains("0af7651916cd43dd8448eb211c80319c"));
    let spans = spans(&requests);
    let (order, stock) = (
        named(&spans, "GET /orders/{id}"),
        named(&spans, "GET /stock"),
    );
    let call = named(&spans, "GET");
    assert_eq!(
        order.parent_span_id,
        0xb7ad_6b71_6920_3331_u64.to_be_bytes()
    );
    assert!(is_called(order, call) && is_called(call, stock));
    assert_eq!(spans.len(), 3, "the metrics route is not traced");
    assert!(
        rest.last().unwrap().contains("3 of 3 spans exported"),
        "{rest:#?}"
    );
}

#[tokio::test]
async fn tracing_with_a_subscriber_of_its_own() {
    let (endpoint, requests) = receiver().await;
    let (child, lines) = start("tracing", &[], &endpoint);
    let said = ended(child, lines).await;
    assert!(said.iter().any(|line| line.contains("done")), "{said:#?}");
    let spans = spans(&requests);
    let import = named(&spans, "import");
    assert_eq!(import.parent_span_id, [0_u8; 0]);
    let parsed: Vec<_> = spans.iter().filter(|span| span.name == "parse").collect();
    assert!(parsed.iter().all(|parse| is_called(import, parse)));
    let failed = |span: &&&Span| {
        let status = span.status.as_ref();
        status.is_some_and(|status| status.code() == StatusCode::Error)
    };
    assert_eq!((parsed.len(), parsed.iter().filter(failed).count()), (3, 1));
}

#[tokio::test]
async fn code_that_speaks_the_opentelemetry_api() {
    for arguments in [&[][..], &["own-provider"]] {
        let (endpoint, requests) = receiver().await;
        let (child, lines) = start("opentelemetry", arguments, &endpoint);
        let said = ended(child, lines).await;
        let spans = spans(&requests);
        let (checkout, pay) = (named(&spans, "checkout"), named(&spans, "pay"));
        assert_eq!(
            checkout.parent_span_id,
            0xb7ad_6b71_6920_3331_u64.to_be_bytes()
        );
        assert!(is_called(checkout, pay));
        let id: String = pay.span_id.iter().map(|b| format!("{b:02x}")).collect();
        let forwarded = format!("traceparent: 00-0af7651916cd43dd8448eb211c80319c-{id}-01");
        assert!(said.contains(&forwarded), "{said:#?}");

        let metrics = of::<ExportMetricsServiceRequest>(&requests, "metrics").into_iter();
        let mut metrics = metrics
            .flat_map(|(_, request)| request.resource_metrics)
            .flat_map(|resource| resource.scope_metrics)
            .flat_map(|scope| scope.metrics);
        assert!(metrics.any(|metric| metric.name == "orders"));
        let logs = of::<ExportLogsServiceRequest>(&requests, "logs").into_iter();
        let mut logs = logs
            .flat_map(|(_, request)| request.resource_logs)
            .flat_map(|resource| resource.scope_logs)
            .flat_map(|scope| scope.log_records);
        assert!(logs.any(|record| record.span_id == checkout.span_id));
    }
}

#[test]
fn the_readme_shows_the_service() {
    let service = include_str!("../../examples/service.rs");
    let (_, code) = service.split_once("\n\nuse ").unwrap();
    assert!(include_str!("../../README.md").contains(&format!("```rust,no_run\nuse {code}```")));
}

//! Log lines on the standard output of a whole process.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use std::process::{Command, Output};
use std::time::Duration;
use telemetry::{Format, LineWriter, Service, Settings, Telemetry};

const CHILD: &str = "TELEMETRY_TEST_LOG_CHILD";

/// Runs one test of this binary again as a process of its own: the subscriber and standard
/// output are the process's.
pub(crate) fn run(child: &str) -> Output {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn lines_of(child: &str) -> Vec<String> {
    let stdout = String::from_utf8(run(child).stdout).unwrap();
    stdout.lines().map(str::to_owned).collect()
}

/// The lines that are JSON; the test runner has its say in between.
pub(crate) fn json_of(child: &str) -> Vec<serde_json::Value> {
    let lines = lines_of(child);
    let objects = lines
        .iter()
        .filter_map(|line| line.find('{').map(|at| &line[at..]));
    objects
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn service(name: &str, format: Format) -> Telemetry {
    Telemetry::builder(Service::new(name, "1.0.0"))
        .exporter(telemetry::Exporter::None)
        .log_format(format)
        .log_filter("info")
        .build()
        .unwrap()
}

#[tokio::test]
async fn child_that_logs_and_changes_its_filter() {
    if !is_child() {
        return;
    }
    let telemetry = service("orders", Format::Json);
    // A second service of the process shares the subscriber.
    service("catalog", Format::Json);
    let log = |n: i32| {
        tracing::debug!(n, "debug");
        tracing::info!(target: "catalog::search", n, "catalog");
        tracing::warn!(n, "warn");
    };
    log(1);
    telemetry.set_log_filter("debug,catalog=off").unwrap();
    log(2);
    let error = telemetry.set_log_filter("info,catalog=loud").unwrap_err();
    assert!(error.to_string().contains("catalog=loud"), "{error}");
    log(3);
    telemetry.set_log_filter("error").unwrap();
    log(4);
    LineWriter::stdout().write(br#"{"n":5,"message":"end"}"#);
    telemetry.shutdown(Duration::from_secs(5)).await;
}

#[test]
fn lines_reach_stdout_by_the_end_of_the_shutdown() {
    let lines = json_of("logs::child_that_logs_and_changes_its_filter");
    let seen: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["n"].as_i64().unwrap(),
                line["message"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1, "catalog"),
            (1, "warn"),
            (2, "debug"),
            (2, "warn"),
            (3, "debug"),
            (3, "warn"),
            (5, "end")
        ]
    );
    assert_eq!(lines[0]["service"], "orders");
    assert_eq!(lines[0]["target"], "catalog::search");
}

#[tokio::test]
async fn child_that_logs_for_a_person() {
    if !is_child() {
        return;
    }
    let telemetry = service("orders", Format::Human);
    tracing::warn!(forged = "\u{1b}[2J\nINFO all is well", "look");
    telemetry.shutdown(Duration::from_secs(5)).await;
}

#[test]
fn the_form_for_people_is_one_line_without_colours_in_a_pipe() {
    let lines = lines_of("logs::child_that_logs_for_a_person");
    let line = lines.iter().find(|line| line.contains("look")).unwrap();
    let expected = " orders   look forged=\"\\u{1b}[2J\\nINFO all is well\" it::logs";
    assert!(line.ends_with(expected), "{line:?}");
    assert!(
        line.contains(" WARN ") && !line.contains('\u{1b}'),
        "{line:?}"
    );
}

#[tokio::test]
async fn child_that_storms() {
    if !is_child() {
        return;
    }
    let telemetry = service("orders", Format::Json);
    for n in 0..250 {
        tracing::error!(n, "the database is away");
    }
    telemetry.flush().await;
    for n in 250..300 {
        tracing::error!(n, "the pool is empty");
    }
    let page = telemetry.metrics_page(None).body;
    let suppressed = page
        .lines()
        .find(|line| line.starts_with("citywatch_log_lines_suppressed_total "))
        .unwrap();
    LineWriter::stdout().write(format!("{{\"page\":{suppressed:?}}}").as_bytes());
    telemetry.shutdown(Duration::from_secs(5)).await;
}

/// By default: 100 lines in 10 seconds. Were the machine so slow that this takes longer, every
/// line would still be written or summed up.
#[test]
fn a_storm_costs_its_first_lines_and_a_sum() {
    let lines = json_of("logs::child_that_storms");
    let of = |message: &str| {
        lines
            .iter()
            .filter(|line| line["message"] == message)
            .count()
    };
    let sums: Vec<_> = lines
        .iter()
        .filter_map(|line| line["suppressed"].as_u64())
        .collect();
    let written = of("the database is away") as u64;
    let summed: u64 = sums.iter().sum();
    assert!(written >= 100, "{written}");
    assert_eq!(written + summed, 250);
    assert_eq!(of("the pool is empty"), 50);
    let page = lines.iter().find_map(|line| line["page"].as_str()).unwrap();
    let suppressed = page.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
    assert_eq!(suppressed, summed);
}

#[tokio::test]
async fn child_that_exports_its_log() {
    if !is_child() {
        return;
    }
    let (address, requests) = crate::receiver::receiver().await;
    let settings = Settings::from_vars(|name| match name {
        "OTEL_LOGS_EXPORTER" => Some("otlp".to_owned()),
        "OTEL_TRACES_EXPORTER" => Some("none".to_owned()),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(address.clone()),
        "OTEL_EXPORTER_OTLP_COMPRESSION" => Some("gzip".to_owned()),
        _ => None,
    });
    let telemetry = Telemetry::builder(Service::new("orders", "1.0.0"))
        .settings(settings.unwrap())
        .build()
        .unwrap();
    let span = telemetry.untraced(async {
        tracing::warn!(remaining = 3, "budget is low");
        telemetry::context::current().unwrap()
    });
    let span = span.await;
    telemetry.flush().await;
    tracing::info!(target: "elsewhere", "outside");
    for _ in 0..150 {
        tracing::error!("a storm");
    }
    let report = telemetry.shutdown(Duration::from_secs(5)).await;
    // Two lines, a hundred of the storm and its sum.
    assert_eq!((report.logs.exported, report.logs.queued), (103, 0));
    assert_eq!(report.logs.produced, 103, "{report}");
    assert!(report.is_complete(), "{report}");
    let page = telemetry.metrics_page(None).body;
    let exported = page.lines().find(|line| {
        line.starts_with("otel_sdk_exporter_log_exported_total{") && !line.contains("error_type")
    });
    assert!(
        exported.is_some_and(|line| line.ends_with(" 103")),
        "{page}"
    );

    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    let [first, second] = [0, 1].map(|at| {
        let (signal, _, body) = &requests[at];
        assert_eq!(signal, "logs");
        let mut request = ExportLogsServiceRequest::decode(&body[..]).unwrap();
        assert_eq!(request.resource_logs.len(), 1);
        request.resource_logs.remove(0)
    });
    let attributes = first.resource.unwrap().attributes;
    let name = attributes.iter().find(|pair| pair.key == "service.name");
    let name = name.unwrap().value.clone().unwrap().value.unwrap();
    assert_eq!(name, Value::StringValue("orders".to_owned()));
    let scope = &first.scope_logs[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, module_path!());
    let record = &scope.log_records[0];
    assert_eq!(record.trace_id, span.trace_id.0.to_be_bytes());
    assert_eq!(record.span_id, span.span_id.0.to_be_bytes());
    assert_eq!(record.flags, u32::from(span.flags.0));

    let records = second.scope_logs.iter().map(|scope| {
        let name = scope.scope.as_ref().unwrap().name.as_str();
        (name, scope.log_records.len())
    });
    let expected = [("elsewhere", 1), (module_path!(), 101)];
    assert_eq!(records.collect::<Vec<_>>(), expected);
    let sum = second.scope_logs[1].log_records.last().unwrap();
    let suppressed = sum.attributes.iter().find(|pair| pair.key == "suppressed");
    let suppressed = suppressed.unwrap().value.clone().unwrap().value;
    assert_eq!(suppressed, Some(Value::IntValue(50)));
    assert_eq!(sum.severity_text, "ERROR");
    assert!(sum.trace_id.is_empty());
}

/// What arrived is asserted in the child; what is left to see is that its lines are there too.
#[test]
fn a_log_leaves_by_otlp_beside_its_lines() {
    let lines = json_of("logs::child_that_exports_its_log");
    let messages = lines.iter().filter_map(|line| line["message"].as_str());
    assert_eq!(messages.filter(|said| *said == "a storm").count(), 100);
    assert_eq!(lines[0]["message"], "budget is low");
}

#[tokio::test]
async fn child_that_panics() {
    if !is_child() {
        return;
    }
    let telemetry = Telemetry::builder(Service::new("orders", "1.0.0"))
        .exporter(telemetry::Exporter::None)
        .log_format(Format::Json)
        .log_panics()
        .build()
        .unwrap();
    let request = telemetry.untraced(async {
        let current = telemetry::context::current().unwrap();
        tracing::info!(expected = %current.trace_id, "before");
        panic!("no item {}", 7);
    });
    let outcome = tokio::spawn(request).await;
    assert!(outcome.unwrap_err().is_panic());
    telemetry.set_log_filter("off").unwrap();
    let silent = std::thread::spawn(|| panic!("told on stderr"));
    assert!(silent.join().is_err());
}

#[test]
fn a_panic_is_a_line_with_the_ids_of_its_request() {
    let output = run("logs::child_that_panics");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("told on stderr") && !stderr.contains("no item 7"));
    let lines = json_of("logs::child_that_panics");
    let [before, panic] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(panic["trace_id"], before["expected"]);
    assert_eq!(
        (&panic["level"], &panic["target"]),
        (&"ERROR".into(), &"panic".into())
    );
    assert_eq!(panic["exception.type"], "panic");
    assert_eq!(panic["exception.message"], "no item 7");
    assert!(
        panic["code.file.path"]
            .as_str()
            .unwrap()
            .ends_with("logs.rs")
    );
    assert!(panic["code.line.number"].is_u64());
}

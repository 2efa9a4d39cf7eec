//! Log lines on the standard output of a whole process.

use std::process::Command;
use std::time::Duration;
use telemetry::{Format, LineWriter, Service, Telemetry};

const CHILD: &str = "TELEMETRY_TEST_LOG_CHILD";

/// Runs one test of this binary again as a process of its own: the subscriber and standard
/// output are the process's.
fn lines_of(child: &str) -> Vec<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{stdout}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    stdout.lines().map(str::to_owned).collect()
}

/// The lines that are JSON; the test runner has its say in between.
fn json_of(child: &str) -> Vec<serde_json::Value> {
    let lines = lines_of(child);
    let objects = lines
        .iter()
        .filter_map(|line| line.find('{').map(|at| &line[at..]));
    objects
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

fn is_child() -> bool {
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
    let expected = "orders it::logs: look forged=\\u{1b}[2J\\nINFO all is well";
    assert!(line.ends_with(expected), "{line:?}");
    assert!(
        line.contains(" WARN ") && !line.contains('\u{1b}'),
        "{line:?}"
    );
}

//! Prometheus' rules and the configuration of all that watches, judged by the programs that read
//! them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde::Deserialize;
use testing::engines::program;

use super::prometheus::{Prometheus, files, repository};

/// What a program says of files of the repository; none if it is not installed.
fn run(engine: &str, name: &str, folder: &Path, arguments: &[&str]) -> Option<Output> {
    let mut command = Command::new(program(engine, name)?);
    command.args(arguments).current_dir(folder);
    Some(command.output().unwrap())
}

fn accepts(engine: &str, name: &str, arguments: &[&str]) {
    if let Some(output) = run(engine, name, repository(), arguments) {
        assert!(output.status.success(), "{name} {arguments:?}: {output:#?}");
    }
}

#[test]
fn prometheus_accepts_its_configuration() {
    accepts(
        "prometheus",
        "promtool",
        &["check", "config", "prometheus/prometheus.yml"],
    );
}

#[test]
fn prometheus_accepts_the_rules() {
    let rules: Vec<String> = files("prometheus/rules", "yml")
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut arguments = vec!["check", "rules", "--lint=all", "--lint-fatal"];
    arguments.extend(rules.iter().map(String::as_str));
    accepts("prometheus", "promtool", &arguments);
}

#[test]
fn alertmanager_accepts_its_configuration() {
    accepts(
        "alertmanager",
        "amtool",
        &["check-config", "prometheus/alertmanager.yml"],
    );
}

#[test]
fn the_collector_accepts_its_configuration() {
    accepts(
        "otelcol",
        "otelcol",
        &["validate", "--config", "otel-collector.yaml"],
    );
}

#[test]
fn jaeger_accepts_its_configuration() {
    accepts(
        "jaeger",
        "jaeger",
        &["validate", "--config", "deploy/jaeger.yaml"],
    );
}

/// promtool's verdict on the rules' tests in a copy of `prometheus/`.
fn rule_tests(folder: &Path) -> Option<Output> {
    let tests: Vec<String> = files("prometheus/tests", "yml")
        .iter()
        .map(|path| format!("tests/{}", path.file_name().unwrap().to_string_lossy()))
        .collect();
    let mut arguments = vec!["test", "rules"];
    arguments.extend(tests.iter().map(String::as_str));
    run("prometheus", "promtool", folder, &arguments)
}

#[test]
fn rules_do_what_their_tests_say() {
    if let Some(output) = rule_tests(&repository().join("prometheus")) {
        assert!(output.status.success(), "{output:#?}");
    }
}

/// Changes to a rule that anybody could make by mistake; a test of the rules sees each.
const MISTAKES: [(&str, &str, &str); 18] = [
    (
        "alerts.yml",
        r#"(up{tier="app"}) == 0"#,
        r#"(up{tier="app"}) < 0"#,
    ),
    (
        "alerts.yml",
        r#"sum by (job) (up{tier="app"}) == 0"#,
        r#"up{tier="app"} == 0"#,
    ),
    ("alerts.yml", r#"(up{tier="app"})"#, "(up)"),
    ("alerts.yml", "for: 3s", "for: 3m"),
    ("alerts.yml", "for: 5s", "for: 0s"),
    ("alerts.yml", "vector(1)", "vector(1) > 1"),
    ("alerts.yml", "events_lag_seconds)", "events_lag_events)"),
    (
        "alerts.yml",
        "max by (job, feed) (citywatch_events_lag_seconds)",
        "citywatch_events_lag_seconds",
    ),
    ("alerts.yml", "for: 10s", "for: 0s"),
    ("alerts.yml", "events_dead_letters)", "events_waiting)"),
    (
        "alerts.yml",
        "max by (job, feed) (citywatch_events_dead_letters)",
        "max by (job) (citywatch_events_dead_letters)",
    ),
    (
        "alerts.yml",
        "citywatch_events_stalled) > 0\n        for: 3s",
        "citywatch_events_stalled) > 0",
    ),
    ("alerts.yml", "severity: ticket", "severity: page"),
    ("alerts.yml", "severity: page", "severity: ticket"),
    ("red.yml", r#"=~"5..""#, r#"=~"4..""#),
    (
        "red.yml",
        "0 * job:http_server_requests:rate1m",
        "job:http_server_requests:rate1m > 1e9",
    ),
    ("red.yml", r#"error_type!="""#, r#"error_type="""#),
    ("red.yml", "sum by (job, callee, le)", "sum by (job, le)"),
];

#[test]
fn tests_of_rules_see_a_mistake() {
    for (file, right, wrong) in MISTAKES {
        let folder = tempfile::tempdir().unwrap();
        for part in ["rules", "tests"] {
            fs::create_dir(folder.path().join(part)).unwrap();
            for path in files(&format!("prometheus/{part}"), "yml") {
                let name = path.file_name().unwrap();
                fs::copy(&path, folder.path().join(part).join(name)).unwrap();
            }
        }
        let path = folder.path().join("rules").join(file);
        let rules = fs::read_to_string(&path).unwrap();
        assert!(rules.contains(right), "{file} has no {right}");
        fs::write(&path, rules.replacen(right, wrong, 1)).unwrap();
        let Some(output) = rule_tests(folder.path()) else {
            return;
        };
        assert!(
            !output.status.success(),
            "{right} -> {wrong} passes: {output:#?}"
        );
    }
}

#[derive(Debug, Deserialize)]
struct RuleTests {
    tests: Vec<RuleTest>,
}

#[derive(Debug, Deserialize)]
struct RuleTest {
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
}

#[derive(Debug, Deserialize)]
struct AlertTest {
    alertname: String,
    exp_alerts: Vec<serde_json::Value>,
}

#[tokio::test]
async fn each_alert_is_tested_firing_and_silent() {
    let Some(prometheus) = Prometheus::of_rules().await else {
        return;
    };
    let mut tested: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for path in files("prometheus/tests", "yml") {
        let text = fs::read_to_string(path).unwrap();
        let file: RuleTests = serde_saphyr::from_str(&text).unwrap();
        for test in file.tests.into_iter().flat_map(|test| test.alert_rule_test) {
            let counts = tested.entry(test.alertname).or_default();
            counts[usize::from(test.exp_alerts.is_empty())] += 1;
        }
    }
    for alert in prometheus
        .rules()
        .await
        .into_iter()
        .filter(|rule| rule.alert)
    {
        let [firing, silent] = tested.remove(&alert.name).unwrap_or_default();
        assert!(firing > 0, "{} is never seen firing", alert.name);
        // Silent before, silent once resolved, silent when its series go away.
        let always = alert.expression == "vector(1)";
        assert!(
            always || silent >= 3,
            "{} is seldom seen silent",
            alert.name
        );
        assert!(alert.labels.contains_key("severity"), "{}", alert.name);
        assert!(alert.annotations.contains_key("summary"), "{}", alert.name);
    }
    assert!(
        tested.is_empty(),
        "tests of alerts that are not: {tested:?}"
    );
}

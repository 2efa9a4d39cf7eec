//! The rules of Grafana's own dashboard-linter, and a few that a reader of two dashboards misses.
//! Each rule is shown to find what it is for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Part, dashboards, fill, list, panels, queries, text};
use crate::prometheus::Prometheus;

/// Odd enough that nobody writes it by hand.
const MARKED_INTERVAL: &str = "257s";
const MARKED_MILLISECONDS: u64 = 257_000;

const WIDTH: u64 = 24;

type Findings = Vec<String>;

/// What a dashboard's shape can be blamed for.
fn lint(dashboard: &Value) -> Findings {
    let mut found = Findings::new();
    for (field, why) in [
        ("uid", "links go by it"),
        ("title", "people go by it"),
        ("description", "a reader asks what it is for"),
    ] {
        if text(&dashboard[field]).is_empty() {
            found.push(format!("no {field}: {why}"));
        }
    }
    if !list(&dashboard["tags"]).any(|tag| tag == "citywatch") {
        found.push("no tag `citywatch`: the menu of dashboards goes by it".to_owned());
    }
    found.extend(lint_variables(dashboard));
    for panel in panels(dashboard) {
        found.extend(lint_panel(panel));
    }
    found.extend(lint_ids(dashboard));
    found.extend(lint_places(dashboard));
    found
}

fn lint_variables(dashboard: &Value) -> Findings {
    let mut found = Findings::new();
    let variables: BTreeMap<String, &Value> = list(&dashboard["templating"]["list"])
        .map(|variable| (text(&variable["name"]), variable))
        .collect();
    match variables.get("datasource") {
        Some(variable) if variable["type"] == "datasource" && variable["query"] == "prometheus" => {
        }
        _ => found.push("no variable `datasource`".to_owned()),
    }
    for name in ["job", "instance"] {
        let Some(variable) = variables.get(name) else {
            found.push(format!("no variable `{name}`"));
            continue;
        };
        if variable["multi"] != true || variable["allValue"] != ".+" {
            found.push(format!(
                "variable `{name}` is not for many, or its All is not `.+`"
            ));
        }
    }
    for (name, variable) in &variables {
        if text(&variable["label"]).is_empty() {
            found.push(format!("variable `{name}` has no label"));
        }
        if variable["type"] == "query" && !of_variable(variable) {
            found.push(format!("variable `{name}` has a data source of its own"));
        }
    }
    found
}

fn of_variable(place: &Value) -> bool {
    place["datasource"] == json!({"type": "prometheus", "uid": "${datasource}"})
}

fn lint_panel(panel: &Value) -> Findings {
    let mut found = Findings::new();
    let title = text(&panel["title"]);
    if title.is_empty() {
        found.push("a panel without a title".to_owned());
    }
    if !text(&panel["description"]).ends_with('.') {
        found.push(format!("{title}: no description in a sentence"));
    }
    if text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty() {
        found.push(format!("{title}: no unit"));
    }
    if !of_variable(panel) {
        found.push(format!("{title}: a data source of its own"));
    }
    if list(&panel["targets"]).next().is_none() {
        found.push(format!("{title}: asks nothing"));
    }
    let lines = ["timeseries", "heatmap"].contains(&panel["type"].as_str().unwrap_or_default());
    let mut letters = BTreeSet::new();
    for target in list(&panel["targets"]) {
        let letter = text(&target["refId"]);
        if lines && text(&target["legendFormat"]).is_empty() {
            found.push(format!("{title} {letter}: no legend"));
        }
        if !letters.insert(letter.clone()) {
            found.push(format!("{title}: two queries are called {letter}"));
        }
    }
    found
}

fn lint_ids(dashboard: &Value) -> Findings {
    let mut seen = BTreeSet::new();
    let all = list(&dashboard["panels"]).chain(panels(dashboard));
    let mut found = Findings::new();
    let mut counted = BTreeSet::new();
    for panel in all {
        // A panel outside of rows is met twice.
        if !counted.insert(std::ptr::from_ref(panel)) {
            continue;
        }
        if panel["id"].as_u64().is_none_or(|id| !seen.insert(id)) {
            found.push(format!("{}: its id is another panel's", panel["title"]));
        }
    }
    found
}

fn lint_places(dashboard: &Value) -> Findings {
    let mut found = Findings::new();
    let place = |panel: &Value, side: &str| panel["gridPos"][side].as_u64().unwrap_or_default();
    let all: Vec<&Value> = list(&dashboard["panels"]).collect();
    for (at, panel) in all.iter().enumerate() {
        let (x, y, w, h) = ["x", "y", "w", "h"].map(|side| place(panel, side)).into();
        if w == 0 || h == 0 || x + w > WIDTH {
            found.push(format!("{}: outside of the page", panel["title"]));
        }
        for other in &all[..at] {
            let (ox, oy, ow, oh) = ["x", "y", "w", "h"].map(|side| place(other, side)).into();
            if x < ox + ow && ox < x + w && y < oy + oh && oy < y + h {
                found.push(format!("{} lies on {}", panel["title"], other["title"]));
            }
        }
    }
    found
}

/// What its queries can be blamed for.
async fn lint_queries(prometheus: &Prometheus, dashboard: &Value) -> Findings {
    let mut found = Findings::new();
    for query in queries(dashboard) {
        let name = query.name();
        let parsed = match prometheus
            .parse(&fill(&query.expression, MARKED_INTERVAL))
            .await
        {
            Ok(parsed) => parsed,
            Err(error) => {
                found.push(format!("{name}: {error}"));
                continue;
            }
        };
        if query.part != Part::Panel {
            continue;
        }
        for selector in parsed.selectors() {
            for label in ["job", "instance"] {
                if !selector.matchers.contains_key(label) {
                    let metric = selector.metric.as_deref().unwrap_or("a selector");
                    found.push(format!("{name}: {metric} is not held to its {label}"));
                }
            }
        }
        if parsed
            .rate_ranges()
            .iter()
            .any(|range| *range != MARKED_MILLISECONDS)
        {
            found.push(format!(
                "{name}: a rate over something else than $__rate_interval"
            ));
        }
        if query.expression.contains("irate(") {
            found.push(format!(
                "{name}: irate shows what the last two scrapes happened to see"
            ));
        }
    }
    found
}

#[test]
fn dashboards_are_well_made() {
    let mut uids = BTreeSet::new();
    for dashboard in dashboards() {
        assert_eq!(lint(&dashboard), Findings::new(), "{}", dashboard["uid"]);
        assert!(uids.insert(text(&dashboard["uid"])), "{}", dashboard["uid"]);
    }
    // What links point at is there.
    for dashboard in dashboards() {
        let page = dashboard.to_string();
        for link in page.split("\"/d/").skip(1) {
            let uid = link.split('/').next().unwrap();
            assert!(uids.contains(uid), "{} links to {uid}", dashboard["uid"]);
        }
    }
}

#[tokio::test]
async fn queries_of_dashboards_are_well_made() {
    let Some(prometheus) = Prometheus::of_rules().await else {
        return;
    };
    for dashboard in dashboards() {
        let found = lint_queries(&prometheus, &dashboard).await;
        assert_eq!(found, Findings::new(), "{}", dashboard["uid"]);
    }
}

fn a_dashboard() -> Value {
    let mut all = dashboards();
    all.retain(|dashboard| dashboard["uid"] == "gateway");
    all.remove(0)
}

#[test]
fn each_rule_finds_what_it_is_for() {
    let changes: [(&str, Value, &str); 15] = [
        ("/uid", json!(""), "no uid"),
        ("/title", json!(""), "no title"),
        ("/description", json!(""), "no description"),
        ("/tags", json!(["shop"]), "no tag"),
        (
            "/templating/list/0/type",
            json!("query"),
            "no variable `datasource`",
        ),
        (
            "/templating/list/1/name",
            json!("service"),
            "no variable `job`",
        ),
        ("/templating/list/2/allValue", json!(".*"), "its All is not"),
        ("/templating/list/1/label", json!(""), "has no label"),
        ("/panels/0/title", json!(""), "without a title"),
        (
            "/panels/0/description",
            json!("Requests"),
            "no description in a sentence",
        ),
        ("/panels/0/fieldConfig/defaults/unit", json!(""), "no unit"),
        (
            "/panels/0/datasource/uid",
            json!("prometheus"),
            "a data source of its own",
        ),
        ("/panels/4/targets/0/legendFormat", json!(""), "no legend"),
        ("/panels/1/id", json!(1), "its id is another panel's"),
        ("/panels/1/gridPos/x", json!(5), "lies on"),
    ];
    for (pointer, value, finding) in changes {
        let mut dashboard = a_dashboard();
        *dashboard.pointer_mut(pointer).unwrap() = value;
        let found = lint(&dashboard);
        assert!(
            found.iter().any(|found| found.contains(finding)),
            "{pointer}: {found:?}"
        );
    }
}

#[tokio::test]
async fn each_rule_for_queries_finds_what_it_is_for() {
    let Some(prometheus) = Prometheus::of_rules().await else {
        return;
    };
    let changes = [
        (
            r#"sum(up{job=~"$job", instance=~"$instance"}"#,
            "parse error",
        ),
        (
            r#"sum(up{instance=~"$instance"})"#,
            "up is not held to its job",
        ),
        (r#"sum(up{job=~"$job"})"#, "up is not held to its instance"),
        (
            r#"sum(rate(up{job=~"$job", instance=~"$instance"}[1m]))"#,
            "something else than $__rate_interval",
        ),
        (
            r#"sum(irate(up{job=~"$job", instance=~"$instance"}[$__rate_interval]))"#,
            "irate shows",
        ),
    ];
    for (expression, finding) in changes {
        let mut dashboard = a_dashboard();
        dashboard["panels"][0]["targets"][0]["expr"] = json!(expression);
        let found = lint_queries(&prometheus, &dashboard).await;
        assert!(
            matches!(&found[..], [only] if only.contains(finding)),
            "{expression}: {found:?}"
        );
    }
}

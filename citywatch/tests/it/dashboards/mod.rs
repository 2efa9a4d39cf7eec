//! The dashboards of Grafana: what each asks, whether it is well made, and whether a running city
//! answers it.

mod lint;
mod live;
mod provisioning;
mod schema;

use std::fs;

use serde_json::Value;

use super::prometheus::files;

const FOLDER: &str = "grafana/dashboards";

/// As Grafana makes `$__rate_interval` of a scrape each 5 s, zoomed in.
const RATE_INTERVAL: &str = "20s";

/// A query of a dashboard, its variables not yet filled.
#[derive(Clone, Debug)]
struct Query {
    dashboard: String,
    /// The panel's title, or the variable's or annotation's name.
    place: String,
    /// The letter of the query in its panel.
    letter: String,
    expression: String,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Panel,
    Variable,
    Annotation,
}

impl Query {
    /// As it is sent with everything chosen.
    fn filled(&self) -> String {
        let filled = fill(&self.expression, RATE_INTERVAL);
        // `$1` is what a label was replaced by.
        let known = filled.replace("$1", "");
        assert!(!known.contains('$'), "an unknown variable: {filled}");
        filled
    }

    fn name(&self) -> String {
        format!("{} / {} / {}", self.dashboard, self.place, self.letter)
    }
}

/// With variables at "All".
fn fill(expression: &str, rate_interval: &str) -> String {
    let mut filled = expression.replace("$__rate_interval", rate_interval);
    for variable in ["$job", "$instance", "$callee"] {
        filled = filled.replace(variable, ".+");
    }
    filled
}

fn dashboards() -> Vec<Value> {
    files(FOLDER, "json")
        .iter()
        .map(|path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
        .collect()
}

/// Panels that show something, those in rows too.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    for panel in list(&dashboard["panels"]) {
        if panel["type"] != "row" {
            found.push(panel);
        }
        found.extend(list(&panel["panels"]));
    }
    found
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn queries(dashboard: &Value) -> Vec<Query> {
    let query = |part, place: &Value, letter: &Value, expression: &str| Query {
        dashboard: text(&dashboard["uid"]),
        place: text(place),
        letter: text(letter),
        expression: expression.to_owned(),
        part,
    };
    let mut found = Vec::new();
    for panel in panels(dashboard) {
        for target in list(&panel["targets"]) {
            let expression = text(&target["expr"]);
            found.push(query(
                Part::Panel,
                &panel["title"],
                &target["refId"],
                &expression,
            ));
        }
    }
    for variable in list(&dashboard["templating"]["list"]) {
        if variable["type"] == "query" {
            let asked = text(&variable["query"]["query"]);
            let series = labels_of(&asked).unwrap_or_else(|| panic!("not understood: {asked}"));
            let letter = &variable["query"]["refId"];
            found.push(query(Part::Variable, &variable["name"], letter, series));
        }
    }
    for annotation in list(&dashboard["annotations"]["list"]) {
        let target = &annotation["target"];
        let expression = text(&target["expr"]);
        found.push(query(
            Part::Annotation,
            &annotation["name"],
            &target["refId"],
            &expression,
        ));
    }
    found
}

/// The series whose labels `label_values(series, label)` lists.
fn labels_of(asked: &str) -> Option<&str> {
    let inner = asked.strip_prefix("label_values(")?.strip_suffix(')')?;
    Some(inner.rsplit_once(", ")?.0)
}

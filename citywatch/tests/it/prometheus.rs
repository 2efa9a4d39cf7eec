//! A real Prometheus on a port of its own: it parses queries, knows the rules of the repository and,
//! told of targets, scrapes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;
use testing::engines::program;
use testing::free_port;
use tokio::process::{Child, Command};

use super::harness::within;

const READY: Duration = Duration::from_secs(30);

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A program that runs until it is dropped, with what it says in a file.
pub(crate) fn start(
    program: &Path,
    arguments: &[String],
    variables: &[(&str, String)],
    log: &Path,
) -> Child {
    Command::new(program)
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(log).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

pub(crate) struct Prometheus {
    _process: Child,
    folder: TempDir,
    url: String,
    http: Client,
}

/// One answer to an instant query.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Prometheus {
    /// With the repository's rules and no target. None: it is not installed, which is counted as a
    /// skip.
    pub(crate) async fn of_rules() -> Option<Self> {
        let rules = repository().join("prometheus/rules");
        let configuration = format!("rule_files: ['{}/*.yml']\n", rules.display());
        Self::with(&configuration, free_port()).await
    }

    pub(crate) async fn with(configuration: &str, port: u16) -> Option<Self> {
        let program = program("prometheus", "prometheus")?;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, configuration).unwrap();
        let arguments = [
            format!("--config.file={}", file.display()),
            format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--enable-feature=exemplar-storage".to_owned(),
        ];
        let process = start(&program, &arguments, &[], &folder.path().join("log"));
        let http = Client::builder().no_proxy().build().unwrap();
        let prometheus = Self {
            _process: process,
            folder,
            url: format!("http://127.0.0.1:{port}"),
            http,
        };
        let ready = within(READY, async || {
            let url = format!("{}/-/ready", prometheus.url);
            let answer = prometheus.http.get(url).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        });
        assert!(ready.await.is_some(), "{}", prometheus.said());
        Some(prometheus)
    }

    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    async fn ask(&self, path: &str, question: &[(&str, &str)]) -> Result<Value, String> {
        ask(&self.http, &self.url, path, question).await
    }

    pub(crate) async fn query(&self, expression: &str) -> Result<Vec<Sample>, String> {
        query(&self.http, &self.url, expression).await
    }

    /// A query as Prometheus reads it.
    pub(crate) async fn parse(&self, expression: &str) -> Result<Expression, String> {
        self.ask("parse_query", &[("query", expression)])
            .await
            .map(Expression)
    }

    /// The names of all metrics that it has seen.
    pub(crate) async fn names(&self) -> BTreeSet<String> {
        let names = self.ask("label/__name__/values", &[]).await.unwrap();
        serde_json::from_value(names).unwrap()
    }

    /// Every rule that it evaluates.
    pub(crate) async fn rules(&self) -> Vec<Rule> {
        let groups = self.ask("rules", &[]).await.unwrap();
        let groups = groups["groups"].as_array().unwrap();
        let rules = groups.iter().flat_map(|group| {
            let rules = group["rules"].as_array().unwrap();
            rules.iter().map(|rule| Rule {
                name: rule["name"].as_str().unwrap().to_owned(),
                expression: rule["query"].as_str().unwrap().to_owned(),
                alert: rule["type"] == "alerting",
                annotations: serde_json::from_value(rule["annotations"].clone())
                    .unwrap_or_default(),
                labels: serde_json::from_value(rule["labels"].clone()).unwrap_or_default(),
                last_error: rule["lastError"].as_str().map(str::to_owned),
            })
        });
        rules.collect()
    }
}

/// What an endpoint of the API of a Prometheus answers; an error in its own words.
pub(crate) async fn ask(
    http: &Client,
    url: &str,
    path: &str,
    question: &[(&str, &str)],
) -> Result<Value, String> {
    let url = reqwest::Url::parse_with_params(&format!("{url}/api/v1/{path}"), question);
    let answer = http.get(url.unwrap()).send().await;
    let answer: Value = answer.unwrap().json().await.unwrap();
    match answer["status"].as_str() {
        Some("success") => Ok(answer["data"].clone()),
        _ => Err(answer["error"].as_str().unwrap_or("no answer").to_owned()),
    }
}

/// What it answers to an instant query.
pub(crate) async fn query(
    http: &Client,
    url: &str,
    expression: &str,
) -> Result<Vec<Sample>, String> {
    let data = ask(http, url, "query", &[("query", expression)]).await?;
    let sample = |labels: &Value, value: &Value| Sample {
        labels: serde_json::from_value(labels.clone()).unwrap_or_default(),
        value: value[1].as_str().unwrap().parse().unwrap(),
    };
    Ok(match data["resultType"].as_str() {
        Some("scalar") => vec![sample(&Value::Null, &data["result"])],
        _ => data["result"]
            .as_array()
            .unwrap()
            .iter()
            .map(|series| sample(&series["metric"], &series["value"]))
            .collect(),
    })
}

/// A rule of `prometheus/rules`.
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) expression: String,
    pub(crate) alert: bool,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) last_error: Option<String>,
}

/// The syntax tree of a query, as `/api/v1/parse_query` gives it.
#[derive(Debug)]
pub(crate) struct Expression(Value);

/// Series that a query asks for.
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) metric: Option<String>,
    /// Labels with the values that they are held against.
    pub(crate) matchers: BTreeMap<String, String>,
}

impl Expression {
    fn walk<'a>(node: &'a Value, visit: &mut impl FnMut(&'a Value)) {
        match node {
            Value::Object(members) => {
                if members.contains_key("type") {
                    visit(node);
                }
                members.values().for_each(|child| Self::walk(child, visit));
            }
            Value::Array(items) => items.iter().for_each(|item| Self::walk(item, visit)),
            _ => {}
        }
    }

    pub(crate) fn selectors(&self) -> Vec<Selector> {
        let mut found = Vec::new();
        Self::walk(&self.0, &mut |node| {
            if node["type"] != "vectorSelector" && node["type"] != "matrixSelector" {
                return;
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let mut matchers: BTreeMap<String, String> = node["matchers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|matcher| (text(&matcher["name"]), text(&matcher["value"])))
                .collect();
            let metric = matchers.remove("__name__");
            found.push(Selector { metric, matchers });
        });
        found
    }

    pub(crate) fn metrics(&self) -> BTreeSet<String> {
        let selectors = self.selectors().into_iter();
        selectors.filter_map(|selector| selector.metric).collect()
    }

    /// The ranges, in milliseconds, that functions such as `rate` look over.
    pub(crate) fn rate_ranges(&self) -> Vec<u64> {
        let mut found = Vec::new();
        Self::walk(&self.0, &mut |node| {
            let function = node["func"]["name"].as_str().unwrap_or_default();
            if ["rate", "irate", "increase", "delta"].contains(&function) {
                found.extend(node["args"][0]["range"].as_u64());
            }
        });
        found
    }
}

/// Files of a folder of the repository, sorted.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "nothing in {folder}");
    files
}

//! A real city of real processes, raised by the real binary: every listener on a free port, a
//! folder of its own, one city at a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Two cities at once would take each other's time on a small machine.
static ONE_CITY: Semaphore = Semaphore::const_new(1);

/// Generous: what must be quick has its own limit where it is tested.
const LIMIT: Duration = Duration::from_secs(30);

const CITYWATCH: &str = env!("CARGO_BIN_EXE_citywatch");

pub(crate) struct City {
    up: Child,
    folder: TempDir,
    pub(crate) ready: Value,
    pub(crate) http: Client,
    _turn: SemaphorePermit<'static>,
}

impl City {
    pub(crate) async fn raise(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let turn = ONE_CITY.acquire().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut command = citywatch(&folder.path().join("city"));
        command
            .args(["up", "--json"])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.path().join("up.err")).unwrap());
        let mut up = command.spawn().unwrap();
        let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(LIMIT, lines.next_line()).await;
        let ready = match line {
            Ok(Ok(Some(line))) => serde_json::from_str(&line).unwrap(),
            other => panic!("not ready: {other:?}\n{}", everything_said(folder.path())),
        };
        let http = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self {
            up,
            folder,
            ready,
            http,
            _turn: turn,
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("city")
    }

    pub(crate) fn address(&self, part: &str) -> &str {
        self.ready["addresses"][part].as_str().unwrap()
    }

    /// What `city.json` says now.
    pub(crate) fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.data().join("city.json")).unwrap()).unwrap()
    }

    pub(crate) fn pid(&self, process: &str) -> Option<i32> {
        let pid = self.state()["processes"][process]["pid"].as_i64()?;
        Some(i32::try_from(pid).unwrap())
    }

    /// Pids of every process, `up` first.
    pub(crate) fn pids(&self) -> Vec<i32> {
        let state = self.state();
        let up = i32::try_from(state["pid"].as_i64().unwrap()).unwrap();
        let names: Vec<String> = state["processes"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        std::iter::once(up)
            .chain(names.iter().filter_map(|name| self.pid(name)))
            .collect()
    }

    /// Another command of the binary, on this city.
    pub(crate) async fn citywatch(&self, arguments: &[&str]) -> Output {
        tokio::time::timeout(LIMIT * 3, self.command(arguments).output())
            .await
            .unwrap()
            .unwrap()
    }

    /// The same, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = citywatch(&self.data());
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// The same, to succeed; what it printed.
    pub(crate) async fn prints(&self, arguments: &[&str]) -> String {
        let output = self.citywatch(arguments).await;
        let said = String::from_utf8_lossy(&output.stderr);
        let printed = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {said}{printed}\n{}",
            self.said()
        );
        printed
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Result<Response> {
        self.http
            .get(format!("{}{path}", self.address("gateway")))
            .send()
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        let url = format!("{}{path}", self.address("gateway"));
        self.http.post(url).json(body).send().await.unwrap()
    }

    pub(crate) async fn as_member(&self, method: Method, path: &str, token: &str) -> Response {
        let url = format!("{}{path}", self.address("gateway"));
        self.http
            .request(method, url)
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    }

    /// Signs up and logs in; gives the access token.
    pub(crate) async fn member(&self, email: &str) -> String {
        let password = "correct horse battery";
        let signed_up = self
            .post(
                "/api/users",
                &json!({"email": email, "password": password, "name": "Mina"}),
            )
            .await;
        assert_eq!(signed_up.status(), StatusCode::CREATED);
        self.log_in(email, password).await
    }

    pub(crate) async fn log_in(&self, email: &str, password: &str) -> String {
        let body = json!({"email": email, "password": password});
        let logged_in = self.post("/api/sessions", &body).await;
        assert_eq!(logged_in.status(), StatusCode::OK);
        let tokens: Value = logged_in.json().await.unwrap();
        tokens["access_token"].as_str().unwrap().to_owned()
    }

    /// Log files of a service's processes that contain a text.
    pub(crate) fn logs_with(&self, service: &str, text: &str) -> usize {
        let prefix = format!("{service}-");
        let holds = |path: PathBuf| fs::read_to_string(path).is_ok_and(|log| log.contains(text));
        fs::read_dir(self.data().join("logs"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .filter(|entry| holds(entry.path()))
            .count()
    }

    /// All that the city wrote, for a failed test's message.
    pub(crate) fn said(&self) -> String {
        everything_said(self.folder.path())
    }

    /// Stops it as Ctrl-C does, and waits.
    pub(crate) async fn stop(mut self) {
        let pids = self.pids();
        signal(pids[0], Signal::INT);
        let ended = tokio::time::timeout(LIMIT, self.up.wait()).await;
        assert!(
            matches!(ended, Ok(Ok(status)) if status.success()),
            "{ended:?}\n{}",
            self.said()
        );
        let left: Vec<_> = pids.into_iter().filter(|pid| alive(*pid)).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// Kills `up` as nothing can be prepared for.
    pub(crate) async fn kill_up(&mut self) {
        self.up.start_kill().unwrap();
        self.up.wait().await.unwrap();
    }
}

/// The binary, told of nothing that this process was told.
fn citywatch(data: &Path) -> Command {
    let mut command = Command::new(CITYWATCH);
    let ours = |name: &str| {
        ["CITYWATCH_", "OTEL_", "MALLOC_"]
            .iter()
            .any(|p| name.starts_with(p))
    };
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    for listener in [
        "GATEWAY__LISTEN",
        "REGISTRY__LISTEN",
        "OBSERVATORY__LISTEN",
        "OBSERVATORY__OTLP_GRPC_LISTEN",
        "OBSERVATORY__OTLP_HTTP_LISTEN",
        "STACK__PROMETHEUS_LISTEN",
        "STACK__ALERTMANAGER_LISTEN",
        "STACK__JAEGER_LISTEN",
    ] {
        command.env(format!("CITYWATCH_{listener}"), "127.0.0.1:0");
    }
    command
        .env("CITYWATCH_CITY__DATA_DIR", data)
        // Spans are looked for as soon as their request is answered.
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .current_dir(data.parent().unwrap())
        .kill_on_drop(true);
    command
}

fn everything_said(folder: &Path) -> String {
    let mut said = fs::read_to_string(folder.join("up.err")).unwrap_or_default();
    for entry in fs::read_dir(folder.join("city/logs"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let log = fs::read_to_string(entry.path()).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(15).collect();
        said.push_str(&format!("--- {}\n", entry.file_name().to_string_lossy()));
        for line in tail.into_iter().rev() {
            said.push_str(line);
            said.push('\n');
        }
    }
    said
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Runs, and is not merely waiting to be reaped.
pub(crate) fn alive(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat
        .rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('Z'))
}

/// Tries until it holds, at most `limit`; how long it took.
pub(crate) async fn within(
    limit: Duration,
    mut holds: impl AsyncFnMut() -> bool,
) -> Option<Duration> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if holds().await {
            return Some(start.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

/// A trace as the observatory has it, read into what a test asks of it.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) spans: usize,
    pub(crate) roots: usize,
    pub(crate) orphans: usize,
    /// Services with their spans.
    pub(crate) services: BTreeMap<String, usize>,
}

impl City {
    pub(crate) async fn trace(&self, id: &str) -> Option<Trace> {
        let url = format!("{}/api/traces/{id}", self.address("observatory"));
        let answer: Value = self.http.get(url).send().await.ok()?.json().await.ok()?;
        let trace = answer["data"].get(0)?;
        let spans = trace["spans"].as_array()?;
        let ids: Vec<&Value> = spans.iter().map(|span| &span["spanID"]).collect();
        let (mut roots, mut orphans, mut services) = (0, 0, BTreeMap::new());
        for span in spans {
            let references = span["references"].as_array()?.iter();
            // A parent that is linked to as well is a link of the same trace: so Jaeger has it.
            let mut parents = references.filter(|parent| parent["traceID"] == span["traceID"]);
            match parents.next() {
                None => roots += 1,
                Some(parent) if ids.contains(&&parent["spanID"]) => {}
                Some(_) => orphans += 1,
            }
            let process = span["processID"].as_str()?;
            let service = trace["processes"][process]["serviceName"].as_str()?;
            *services.entry(service.to_owned()).or_default() += 1;
        }
        Some(Trace {
            spans: spans.len(),
            roots,
            orphans,
            services,
        })
    }
}

/// The id in a `traceresponse` header.
pub(crate) fn trace_id(answer: &Response) -> String {
    let header = answer.headers()["traceresponse"].to_str().unwrap();
    header.split('-').nth(1).unwrap().to_owned()
}

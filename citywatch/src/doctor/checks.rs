//! Each check, in the order in which a person would look.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::Client;
use serde_json::Value;

use super::memory::{Memory, pss_bytes};
use super::{Finding, page};
use crate::bank;
use crate::city::CityState;
use crate::data_dir::DataDir;
use crate::terminal::bytes;
use crate::up::board::{Process, Status};
use crate::up::stack;

/// Longest time that a well process takes to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A budget this full evicts soon.
const NEARLY_FULL: f64 = 0.95;

pub(crate) async fn all(data: &DataDir) -> Result<(Vec<Finding>, Option<Memory>)> {
    let mut findings = data_folder(data);
    let state = CityState::read_running(data)?;
    let Some(state) = state else {
        findings.push(Finding::unwell(
            "city",
            format!("no city runs in {}", data.path().display()),
            "citywatch up, or name its folder with --data",
        ));
        findings.extend(tools());
        return Ok((findings, None));
    };
    let client = Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .context("make an HTTP client")?;
    let mut store_bytes = None;
    for process in state.processes.values() {
        findings.push(standing(&client, process).await);
        let Some(page) = metrics_page(&client, process).await else {
            continue;
        };
        findings.extend(lost_telemetry(process, &page));
        if process.service == "observatory" {
            store_bytes = page::sum(&page, STORE_BYTES, &[]);
            findings.extend(span_store(process, &page));
        }
    }
    findings.extend(registry_view(&client, data, &state).await);
    findings.extend(tools());
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count of bytes
    let store_bytes = store_bytes.map(|bytes| bytes as u64);
    let memory = memory(&state, store_bytes);
    if memory.is_none() {
        findings.push(Finding::note(
            "memory",
            "not known: this system has no /proc/<pid>/smaps_rollup",
            "use the system's own tools",
        ));
    }
    Ok((findings, memory))
}

fn data_folder(data: &DataDir) -> Vec<Finding> {
    if !data.path().exists() {
        return Vec::new();
    }
    let faults = data.permission_faults();
    if faults.is_empty() {
        return vec![Finding::well(
            "data folder",
            format!("{}, private", data.path().display()),
        )];
    }
    faults
        .into_iter()
        .map(|fault| {
            let (what, action) = fault
                .split_once(": ")
                .unwrap_or((&fault, "make it private"));
            Finding::unwell("data folder", what, action)
        })
        .collect()
}

/// Whether the process is there and says that it is ready.
async fn standing(client: &Client, process: &Process) -> Finding {
    let name = process.name();
    let log = format!("its log: {}", process.log.display());
    match process.status {
        Status::Held => {
            let action = format!("citywatch release {name}");
            return Finding::unwell(name, "held down", action);
        }
        Status::Down => {
            let how = process.died.as_deref().unwrap_or("it ended");
            let action = format!("citywatch release {name}; {log}");
            return Finding::unwell(name, format!("down, and restarts are off: {how}"), action);
        }
        Status::Starting | Status::Restarting | Status::Stopped => {
            let how = process.died.as_deref().unwrap_or("not ready yet");
            return Finding::unwell(name, how, log);
        }
        Status::Ready => {}
    }
    let alive = process
        .pid
        .is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists());
    if !alive && Path::new("/proc").exists() {
        return Finding::unwell(name, "its process is gone", log);
    }
    let (listener, probe) = match process.service.as_str() {
        // The bank has one listener, and says that it lives, no more.
        bank::NAME => (&process.public, "/livez"),
        other if stack::is_part(other) => (&process.admin, stack::health_path(other)),
        _ => (&process.admin, "/readyz"),
    };
    let Some(address) = listener else {
        return Finding::unwell(name, "no address to ask", log);
    };
    match client.get(format!("http://{address}{probe}")).send().await {
        Err(error) => Finding::unwell(name, format!("does not answer at {address}: {error}"), log),
        Ok(answer) if answer.status().is_success() => {
            let restarts = match process.restarts {
                0 => String::new(),
                1 => ", restarted once".to_owned(),
                count => format!(", restarted {count} times"),
            };
            Finding::well(name, format!("ready{restarts}"))
        }
        Ok(answer) => {
            let checks: Value = answer.json().await.unwrap_or_default();
            Finding::unwell(name, format!("not ready: {}", failed_checks(&checks)), log)
        }
    }
}

fn failed_checks(readiness: &Value) -> String {
    let failed: Vec<String> = readiness["checks"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|check| check["ok"] != Value::Bool(true))
        .map(|check| {
            let name = check["name"].as_str().unwrap_or("?");
            format!(
                "{name}: {}",
                check["detail"].as_str().unwrap_or("no detail")
            )
        })
        .collect();
    if failed.is_empty() {
        "it does not say why".to_owned()
    } else {
        failed.join("; ")
    }
}

/// The bank and the stack are no part of the city: they register nowhere.
fn is_service(process: &Process) -> bool {
    process.service != bank::NAME && !stack::is_part(&process.service)
}

async fn metrics_page(client: &Client, process: &Process) -> Option<String> {
    let admin = process.admin.as_ref().filter(|_| is_service(process))?;
    let answer = client
        .get(format!("http://{admin}/metrics"))
        .send()
        .await
        .ok()?;
    answer.error_for_status().ok()?.text().await.ok()
}

/// Counters of lost spans carry `error_type`; those of the others do not.
const SPANS: [&str; 2] = [
    "otel_sdk_processor_span_processed_total",
    "otel_sdk_exporter_span_exported_total",
];
const LOG_LINES: &str = "citywatch_log_lines_dropped_total";

fn lost_telemetry(process: &Process, page: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let spans: Vec<String> = SPANS
        .iter()
        .flat_map(|name| page::above_zero(page, name))
        .filter(|sample| sample.contains("error_type="))
        .collect();
    if !spans.is_empty() {
        findings.push(Finding::note(
            process.name(),
            format!("spans were lost: {}", spans.join("; ")),
            "was the collector slow or away? OTEL_BSP_MAX_QUEUE_SIZE gives more room",
        ));
    }
    let lines = page::sum(page, LOG_LINES, &[]).unwrap_or_default();
    if lines > 0.0 {
        findings.push(Finding::note(
            process.name(),
            format!("{lines} log lines were lost: their reader was slow"),
            "a quieter filter helps: citywatch config set city log=warn",
        ));
    }
    findings
}

const STORE_BYTES: &str = "citywatch_observatory_store_bytes";
const STORE_LIMIT: &str = "citywatch_observatory_store_limit_bytes";
const EVICTED: &str = "citywatch_observatory_traces_evicted_total";

fn span_store(process: &Process, page: &str) -> Option<Finding> {
    let held = page::sum(page, STORE_BYTES, &[])?;
    let limit = page::sum(page, STORE_LIMIT, &[])?;
    let evicted = page::sum(page, EVICTED, &[]).unwrap_or_default();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts of bytes
    let text = format!(
        "spans hold {} of {}",
        bytes(held as u64),
        bytes(limit as u64)
    );
    if evicted > 0.0 || held > limit * NEARLY_FULL {
        return Some(Finding::note(
            process.name(),
            format!("{text}; {evicted} old traces made room"),
            "to look further back give it more memory: citywatch settings observatory",
        ));
    }
    Some(Finding::well(process.name(), text))
}

/// Whether the registry lists exactly the processes that run.
async fn registry_view(client: &Client, data: &DataDir, state: &CityState) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut expected: std::collections::BTreeMap<&str, Vec<&str>> = Default::default();
    for process in state.processes.values().filter(|it| is_service(it)) {
        let addresses = expected.entry(process.service.as_str()).or_default();
        if process.status == Status::Ready {
            addresses.extend(process.public.as_deref());
        }
    }
    for (service, mut addresses) in expected {
        let part = format!("{service}*");
        let listed = match listed(client, data, state, service).await {
            Ok(listed) => listed,
            Err(error) => {
                return vec![Finding::unwell(
                    "registry",
                    format!("{error:#}"),
                    "requests go on with what is known; the registry's log says more",
                )];
            }
        };
        addresses.sort_unstable();
        if listed.warming {
            return vec![Finding::note(
                "registry",
                "has just started and is still being told who is there",
                "look again in a few seconds",
            )];
        }
        if listed.addresses != addresses {
            findings.push(Finding::unwell(
                part,
                format!(
                    "the registry lists [{}], and there run [{}]",
                    listed.addresses.join(", "),
                    addresses.join(", ")
                ),
                "look again in a few seconds: a lease lapses in five; then read its log",
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::well(
            "registry",
            "lists every process, and no other",
        ));
    }
    findings
}

struct Listed {
    warming: bool,
    addresses: Vec<String>,
}

async fn listed(
    client: &Client,
    data: &DataDir,
    state: &CityState,
    service: &str,
) -> Result<Listed> {
    let registry = state
        .addresses
        .get("registry")
        .context("the registry has no address")?;
    let answer = client
        .get(format!("{registry}/v1/services/{service}"))
        .bearer_auth(data.operator_token()?)
        .send()
        .await
        .context("the registry does not answer")?;
    if answer.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(Listed {
            warming: false,
            addresses: Vec::new(),
        });
    }
    let view: Value = answer
        .error_for_status()?
        .json()
        .await
        .context("read the registry")?;
    let mut addresses: Vec<String> = view["instances"]
        .as_array()
        .into_iter()
        .flatten()
        // Those that fell silent are kept for Prometheus, and called by nobody.
        .filter(|instance| instance["state"] == "up")
        .filter_map(|instance| instance["address"].as_str().map(ToOwned::to_owned))
        .collect();
    addresses.sort_unstable();
    Ok(Listed {
        warming: view["state"] == "warming",
        addresses,
    })
}

/// Programs that the city does well without, and that make it more.
fn tools() -> Vec<Finding> {
    stack::PROGRAMS
        .iter()
        .map(|program| match program.find() {
            Some(path) => Finding::well(program.name, path.display().to_string()),
            None => Finding::note(
                program.name,
                format!("not here; under `up --stack` it gives {}", program.gives),
                format!("optional: {}", program.remedy()),
            ),
        })
        .collect()
}

fn memory(state: &CityState, span_store_bytes: Option<u64>) -> Option<Memory> {
    let up = ("up".to_owned(), state.pid);
    let others = state
        .processes
        .values()
        .filter_map(|process| Some((process.name(), process.pid?)));
    let processes: Vec<(String, u32, u64)> = std::iter::once(up)
        .chain(others)
        .filter_map(|(name, pid)| Some((name, pid, pss_bytes(pid)?)))
        .collect();
    (!processes.is_empty()).then(|| Memory::new(processes, span_store_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_failed_check_is_named_with_its_detail() {
        let readiness = json!({"ready": false, "checks": [
            {"name": "store", "ok": false, "detail": "locked"},
            {"name": "index", "ok": true},
        ]});
        assert_eq!(failed_checks(&readiness), "store: locked");
    }

    #[test]
    fn a_budget_that_evicts_is_noted() {
        let process = Process {
            service: "observatory".into(),
            replica: 1,
            ..Process::default()
        };
        let page = |bytes: u64, evicted: u64| {
            format!("{STORE_BYTES} {bytes}\n{STORE_LIMIT} 67108864\n{EVICTED} {evicted}\n")
        };
        let level = |page: &str| span_store(&process, page).unwrap().level;
        assert_eq!(level(&page(1_000, 0)), super::super::Level::Well);
        assert_eq!(level(&page(67_000_000, 0)), super::super::Level::Note);
        assert_eq!(level(&page(1_000, 7)), super::super::Level::Note);
    }
}

//! A trace from the observatory, by Jaeger's v1 API.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::tree::Tree;

/// Between two looks at a trace that is still coming in; the API has no way to be told.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A trace, as it came.
pub(crate) struct Found {
    pub(crate) raw: Value,
    trace: Trace,
}

impl Found {
    pub(crate) fn tree(&self) -> Tree {
        Tree::new(&self.trace)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trace {
    #[serde(rename = "traceID")]
    pub(crate) trace_id: String,
    pub(crate) spans: Vec<Span>,
    pub(crate) processes: BTreeMap<String, Process>,
}

/// Times are microseconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Span {
    #[serde(rename = "spanID")]
    pub(crate) span_id: String,
    pub(crate) operation_name: String,
    #[serde(default)]
    pub(crate) references: Vec<Reference>,
    pub(crate) start_time: u64,
    pub(crate) duration: u64,
    #[serde(default)]
    pub(crate) tags: Vec<Tag>,
    #[serde(rename = "processID")]
    pub(crate) process_id: String,
}

impl Span {
    /// When it ended.
    pub(crate) fn end(&self) -> u64 {
        self.start_time + self.duration
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) ref_type: String,
    #[serde(rename = "traceID")]
    pub(crate) trace_id: String,
    #[serde(rename = "spanID")]
    pub(crate) span_id: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Process {
    pub(crate) service_name: String,
}

/// Looks until the trace is there and nothing of it seems to be missing, at most `wait`; then
/// what there is. `None` if there is nothing.
pub(crate) async fn fetch(url: &str, id: &str, wait: Duration) -> Result<Option<Found>> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .context("make an HTTP client")?;
    let url = format!("{}/api/traces/{id}", url.trim_end_matches('/'));
    let deadline = Instant::now() + wait;
    let mut spans = 0;
    loop {
        let found = look(&client, &url).await?;
        if let Some(found) = &found {
            let settled = found.trace.spans.len() == spans && found.tree().complete(now());
            if settled || Instant::now() >= deadline {
                break;
            }
            spans = found.trace.spans.len();
        } else if Instant::now() >= deadline {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    look(&client, &url).await
}

/// Microseconds since 1970.
fn now() -> u64 {
    u64::try_from(app::Timestamp::now().micros()).unwrap_or_default()
}

async fn look(client: &reqwest::Client, url: &str) -> Result<Option<Found>> {
    let response = client.get(url).send().await.with_context(|| {
        format!("no observatory answers at {url}; is the city up? `citywatch doctor` says")
    })?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        status => bail!("{url} answered {status}"),
    }
    let mut answer: Value = response
        .json()
        .await
        .with_context(|| format!("read {url}"))?;
    let raw = answer["data"][0].take();
    if raw.is_null() {
        return Ok(None);
    }
    let trace = Trace::deserialize(&raw).with_context(|| format!("understand {url}"))?;
    Ok(Some(Found { raw, trace }))
}

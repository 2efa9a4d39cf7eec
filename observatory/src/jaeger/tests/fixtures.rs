//! Jaeger's own fixtures as oracle: its translation of OTLP, and the searches of its storage
//! tests.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Sut, ids};
use crate::samples::from_json;

/// The folder, where the checkout has it beside it; elsewhere the other tests say the same by
/// hand.
fn fixtures() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/eval-data/jaeger-storage");
    if found.is_dir() {
        return Some(found);
    }
    // Straight to stderr: the test harness swallows what a passing test prints.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: Jaeger's own fixtures are not beside this checkout"
    );
    None
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn jaegers_own_translation_is_ours() {
    let Some(fixtures) = fixtures() else { return };
    let answers = fixtures.join("answers");
    let input = serde_json::from_str(&read(&answers.join("fixture_otlp2jaeger-in.json"))).unwrap();
    let sut = Sut::with([from_json(&input)]).await;
    let expected: Value =
        serde_json::from_str(&read(&answers.join("fixture_otlp2jaeger-out.json"))).unwrap();
    let (_, ours) = sut
        .get("/api/traces/83a9efd15c1c98a977e0711cc93ee28b?raw=true")
        .await;
    assert_eq!(ours, expected);
}

#[tokio::test]
async fn jaegers_own_searches_find_the_same() {
    let Some(fixtures) = fixtures() else { return };
    // The fixtures lie in 2017; a search names its times, so nothing need be moved.
    let mut requests = Vec::new();
    let mut ids_of = BTreeMap::new();
    for entry in std::fs::read_dir(fixtures.join("traces")).unwrap() {
        let path = entry.unwrap().path();
        let request = from_json(&serde_json::from_str(&read(&path)).unwrap());
        let id = &request.resource_spans[0].scope_spans[0].spans[0].trace_id;
        let id = u128::from_be_bytes(id[..].try_into().unwrap());
        ids_of.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), id);
        requests.push(request);
    }
    let sut = Sut::with(requests).await;
    let queries: Vec<Value> = serde_json::from_str(&read(&fixtures.join("queries.json"))).unwrap();
    assert_eq!(queries.len(), 25);
    for case in queries {
        let query = &case["Query"];
        let mut tags = serde_json::Map::new();
        for (key, value) in query["Tags"].as_object().into_iter().flatten() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            tags.insert(key.clone(), text.into());
        }
        let mut url = url_of(query);
        if !tags.is_empty() {
            url.push_str("&tags=");
            url.extend(
                Value::Object(tags)
                    .to_string()
                    .bytes()
                    .map(|byte| format!("%{byte:02x}")),
            );
        }
        let traces = sut.data(&url).await;
        let mut found: Vec<_> = ids(&traces)
            .iter()
            .map(|id| u128::from_str_radix(id, 16).unwrap())
            .collect();
        found.sort_unstable();
        let expected = case["ExpectedFixtures"].as_array().unwrap();
        let mut expected: Vec<_> = expected
            .iter()
            .map(|name| ids_of[name.as_str().unwrap()])
            .collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{}", case["Caption"]);
    }
}

fn url_of(query: &Value) -> String {
    let text = |key: &str| query[key].as_str().unwrap();
    let mut url = format!(
        "/api/traces?service={}&limit={}&start={}&end={}",
        text("ServiceName"),
        query["NumTraces"],
        micros(text("StartTimeMin")),
        micros(text("StartTimeMax")),
    );
    if !text("OperationName").is_empty() {
        url.push_str(&format!("&operation={}", text("OperationName")));
    }
    for (key, name) in [
        ("DurationMin", "minDuration"),
        ("DurationMax", "maxDuration"),
    ] {
        if query[key] != 0 {
            url.push_str(&format!("&{name}={}ns", query[key]));
        }
    }
    url
}

/// Of a time in January 2017, as the fixtures write it.
fn micros(time: &str) -> u64 {
    let (date, clock) = time.strip_suffix('Z').unwrap().split_once('T').unwrap();
    let day: u64 = date.strip_prefix("2017-01-").unwrap().parse().unwrap();
    let mut parts = clock.split(':');
    let hours: u64 = parts.next().unwrap().parse().unwrap();
    let minutes: u64 = parts.next().unwrap().parse().unwrap();
    let seconds: f64 = parts.next().unwrap().parse().unwrap();
    let first_of_month = 1_483_228_800;
    let whole = first_of_month + (day - 1) * 86_400 + hours * 3_600 + minutes * 60;
    whole * 1_000_000 + (seconds * 1e6).round() as u64
}

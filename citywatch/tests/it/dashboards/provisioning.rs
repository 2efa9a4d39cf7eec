//! Grafana's provisioning files against what its documentation says of them, field by field:
//! "Provision Grafana" and, for `jsonData`, the pages of the Prometheus and Jaeger data sources.
//! Grafana itself ignores what it does not know, so a field that is misspelt would only be missed.

use std::collections::BTreeSet;
use std::fs;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{RATE_INTERVAL, fill};
use crate::prometheus::{files, repository};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
struct DataSources {
    api_version: u32,
    #[serde(default)]
    prune: bool,
    datasources: Vec<DataSource>,
    #[serde(default)]
    delete_datasources: Vec<Deleted>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
struct Deleted {
    name: String,
    org_id: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
struct DataSource {
    name: String,
    r#type: Kind,
    access: Access,
    uid: String,
    url: String,
    org_id: Option<i64>,
    user: Option<String>,
    database: Option<String>,
    basic_auth: Option<bool>,
    basic_auth_user: Option<String>,
    with_credentials: Option<bool>,
    #[serde(default)]
    is_default: bool,
    json_data: JsonData,
    version: Option<i64>,
    editable: Option<bool>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Prometheus,
    Jaeger,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Access {
    Proxy,
    Direct,
}

/// The fields of both kinds: whose is which is asserted below.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct JsonData {
    http_method: Option<String>,
    time_interval: Option<String>,
    #[serde(default)]
    exemplar_trace_id_destinations: Vec<Destination>,
    node_graph: Option<NodeGraph>,
    span_bar: Option<SpanBar>,
    traces_to_metrics: Option<TracesToMetrics>,
    traces_to_logs_v2: Option<TracesToLogs>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
struct Destination {
    name: String,
    datasource_uid: String,
    url_display_label: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
struct NodeGraph {
    enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
struct SpanBar {
    r#type: SpanBarKind,
    tag: Option<String>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
enum SpanBarKind {
    None,
    Duration,
    Tag,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TracesToMetrics {
    datasource_uid: String,
    span_start_time_shift: String,
    span_end_time_shift: String,
    tags: Vec<Tag>,
    queries: Vec<LinkedQuery>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkedQuery {
    name: String,
    query: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
struct TracesToLogs {
    datasource_uid: String,
    span_start_time_shift: String,
    span_end_time_shift: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default, rename = "filterByTraceID")]
    filter_by_trace_id: bool,
    #[serde(default, rename = "filterBySpanID")]
    filter_by_span_id: bool,
    #[serde(default)]
    custom_query: bool,
    query: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
struct Tag {
    key: String,
    value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Dashboards {
    api_version: u32,
    providers: Vec<Provider>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
struct Provider {
    name: String,
    org_id: Option<i64>,
    folder: Option<String>,
    folder_uid: Option<String>,
    r#type: String,
    disable_deletion: Option<bool>,
    update_interval_seconds: Option<u32>,
    allow_ui_updates: Option<bool>,
    options: ProviderOptions,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "what matters is that nothing else is there")]
struct ProviderOptions {
    path: String,
    folders_from_files_structure: Option<bool>,
}

fn read<T: DeserializeOwned>(folder: &str) -> Vec<T> {
    files(folder, "yaml")
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).unwrap();
            serde_saphyr::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        })
        .collect()
}

/// What links from spans to metrics ask, of all routes of all services.
pub(super) fn queries() -> Vec<(String, String)> {
    let files: Vec<DataSources> = read("grafana/provisioning/datasources");
    let mut found = Vec::new();
    for source in files.into_iter().flat_map(|file| file.datasources) {
        for linked in source
            .json_data
            .traces_to_metrics
            .into_iter()
            .flat_map(|to| to.queries)
        {
            // Grafana reads `$$` in these files as `$`.
            let query = linked
                .query
                .replace("$$", "$")
                .replace("$__tags", "job=~\".+\"");
            found.push((
                format!("{} / {}", source.name, linked.name),
                fill(&query, RATE_INTERVAL),
            ));
        }
    }
    found
}

/// `5s`, `-5m`: as Grafana writes times.
fn is_time(text: &str) -> bool {
    let digits = text
        .trim_start_matches('-')
        .trim_end_matches(['s', 'm', 'h']);
    digits.parse::<u32>().is_ok() && !text.ends_with(|last: char| last.is_ascii_digit())
}

#[test]
fn data_sources_are_as_grafana_documents_them() {
    let all: Vec<DataSources> = read("grafana/provisioning/datasources");
    assert!(all.iter().all(|file| file.api_version == 1));
    let sources: Vec<&DataSource> = all.iter().flat_map(|file| &file.datasources).collect();
    let uids: BTreeSet<&str> = sources.iter().map(|source| source.uid.as_str()).collect();
    assert_eq!(uids.len(), sources.len(), "two have the same uid");
    assert_eq!(
        uids,
        BTreeSet::from(["jaeger", "observatory", "prometheus"])
    );
    assert_eq!(sources.iter().filter(|source| source.is_default).count(), 1);

    for source in sources {
        assert_eq!(source.access, Access::Proxy, "{}", source.name);
        assert!(source.url.starts_with("http://"), "{}", source.url);
        let data = &source.json_data;
        match source.r#type {
            Kind::Prometheus => {
                assert!(source.is_default);
                assert_eq!(data.http_method.as_deref(), Some("POST"));
                assert!(data.traces_to_metrics.is_none() && data.span_bar.is_none());
                assert!(data.node_graph.is_none() && data.traces_to_logs_v2.is_none());
                // Exemplars open in whatever has traces.
                let opened: BTreeSet<&str> = data
                    .exemplar_trace_id_destinations
                    .iter()
                    .map(|destination| destination.datasource_uid.as_str())
                    .collect();
                assert_eq!(opened, BTreeSet::from(["jaeger", "observatory"]));
                let labels = data.exemplar_trace_id_destinations.iter();
                assert!(
                    labels
                        .clone()
                        .all(|destination| destination.name == "trace_id")
                );
            }
            Kind::Jaeger => {
                assert!(data.http_method.is_none() && data.time_interval.is_none());
                assert!(data.exemplar_trace_id_destinations.is_empty());
                let metrics = data.traces_to_metrics.as_ref().unwrap();
                assert!(uids.contains(metrics.datasource_uid.as_str()));
                assert!(!metrics.queries.is_empty() && !metrics.tags.is_empty());
                let logs = data.traces_to_logs_v2.as_ref().unwrap();
                // Whoever keeps logs adds the source; until then Grafana shows no link.
                assert_eq!(logs.datasource_uid, "loki");
                for shift in [
                    &metrics.span_start_time_shift,
                    &metrics.span_end_time_shift,
                    &logs.span_start_time_shift,
                    &logs.span_end_time_shift,
                ] {
                    assert!(is_time(shift), "{shift}");
                }
            }
        }
    }
}

#[test]
fn grafana_believes_that_prometheus_scrapes_as_often_as_it_does() {
    let all: Vec<DataSources> = read("grafana/provisioning/datasources");
    let interval = all[0].datasources[0].json_data.time_interval.as_deref();
    let prometheus = fs::read_to_string(repository().join("prometheus/prometheus.yml")).unwrap();
    let scraped = format!("scrape_interval: {}\n", interval.unwrap());
    assert!(prometheus.contains(&scraped), "not: {scraped}");
}

#[test]
fn the_dashboards_provider_is_as_grafana_documents_it() {
    for file in read::<Dashboards>("grafana/provisioning/dashboards") {
        assert_eq!(file.api_version, 1);
        for provider in file.providers {
            assert_eq!(provider.r#type, "file", "{}", provider.name);
            assert!(provider.options.path.starts_with('/'), "{}", provider.name);
            assert_eq!(provider.allow_ui_updates, Some(false), "{}", provider.name);
        }
    }
}

#[test]
fn a_misspelt_field_is_found() {
    let path = "grafana/provisioning/datasources/citywatch.yaml";
    let text = fs::read_to_string(repository().join(path)).unwrap();
    for (right, wrong) in [
        ("timeInterval", "timeinterval"),
        ("isDefault", "default"),
        ("tracesToLogsV2", "tracesToLogs2"),
        ("spanStartTimeShift", "spanStartShift"),
        ("type: jaeger", "type: jager"),
    ] {
        assert!(text.contains(right), "{right}");
        let misspelt = serde_saphyr::from_str::<DataSources>(&text.replace(right, wrong));
        assert!(misspelt.is_err(), "{wrong} passes");
    }
}

//! The stack's configuration: the repository's own files, carried in this program, with this
//! city's addresses in the place of those that they have in a network of containers.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::super::plan::reachable;
use super::Addresses;
use crate::data_dir::{make_private_dir, write_private};

const COLLECTOR: &str = include_str!("../../../../otel-collector.yaml");
const JAEGER: &str = include_str!("../../../../deploy/jaeger.yaml");
const PROMETHEUS: &str = include_str!("../../../../prometheus/prometheus.yml");
const ALERTMANAGER: &str = include_str!("../../../../prometheus/alertmanager.yml");
const RULES: &[(&str, &str)] = &[
    (
        "alerts.yml",
        include_str!("../../../../prometheus/rules/alerts.yml"),
    ),
    (
        "red.yml",
        include_str!("../../../../prometheus/rules/red.yml"),
    ),
];

/// Webhooks as the repository's file has them.
const PAGER: &str = "http://pager:8060/alerts";
const HEARTBEAT: &str = "http://pager:8060/heartbeat";

/// Who is told of alerts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    pub(crate) pager: Option<&'a str>,
    pub(crate) heartbeat: Option<&'a str>,
}

/// The stack's folder in the data folder.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn collector(&self) -> PathBuf {
        self.folder.join("otel-collector.yaml")
    }

    pub(crate) fn jaeger(&self) -> PathBuf {
        self.folder.join("jaeger.yaml")
    }

    pub(crate) fn prometheus(&self) -> PathBuf {
        self.folder.join("prometheus.yml")
    }

    pub(crate) fn alertmanager(&self) -> PathBuf {
        self.folder.join("alertmanager.yml")
    }

    /// What Prometheus measured, and its log of what is not yet in blocks.
    pub(crate) fn measured(&self) -> PathBuf {
        self.folder.join("prometheus")
    }

    /// Silences, and who has been told of what.
    pub(crate) fn silences(&self) -> PathBuf {
        self.folder.join("alertmanager")
    }

    /// Writes them all anew; what an earlier version wrote is gone.
    pub(crate) fn write(&self, addresses: &Addresses, told: Told<'_>) -> Result<()> {
        let rules = self.folder.join("rules");
        if rules.exists() {
            fs::remove_dir_all(&rules).with_context(|| rules.display().to_string())?;
        }
        for folder in [&self.folder, &rules, &self.measured(), &self.silences()] {
            make_private_dir(folder)?;
        }
        let write = |path: &Path, text: &str| write_private(path, text.as_bytes());
        for (name, text) in RULES {
            write(&rules.join(name), text)?;
        }
        write(&self.collector(), COLLECTOR)?;
        write(&self.jaeger(), JAEGER)?;
        write(&self.prometheus(), &prometheus(addresses))?;
        write(&self.alertmanager(), &alertmanager(told))
    }
}

/// Addresses in the repository's file, and those of this city.
fn moved(addresses: &Addresses) -> [(&'static str, String); 6] {
    [
        ("http://registry:8500", addresses.registry.clone()),
        (
            "otel-collector:8888",
            addresses.collector_telemetry.to_string(),
        ),
        (
            "otel-collector:8889",
            addresses.collector_span_metrics.to_string(),
        ),
        ("jaeger:8888", addresses.jaeger_telemetry.to_string()),
        (
            "localhost:9090",
            reachable(addresses.prometheus).to_string(),
        ),
        (
            "alertmanager:9093",
            reachable(addresses.alertmanager).to_string(),
        ),
    ]
}

fn prometheus(addresses: &Addresses) -> String {
    let mut text = PROMETHEUS.to_owned();
    for (there, here) in moved(addresses) {
        text = text.replace(there, &here);
    }
    text
}

fn alertmanager(told: Told<'_>) -> String {
    let mut text = ALERTMANAGER.to_owned();
    for (there, here) in [(PAGER, told.pager), (HEARTBEAT, told.heartbeat)] {
        match here {
            // JSON's strings are YAML's too, whatever stands in the URL.
            Some(here) => text = text.replace(there, &serde_json::Value::from(here).to_string()),
            None => text = without_webhook(&text, there),
        }
    }
    text
}

/// Takes the list of webhooks away in which that URL stands; its receiver is told and tells nobody.
fn without_webhook(text: &str, url: &str) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut kept = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let mut block = vec![line];
        if line.trim_start().starts_with("webhook_configs:") {
            while let Some(more) = lines.next_if(|next| depth(next) > depth(line)) {
                block.push(more);
            }
            if block.iter().any(|line| line.contains(url)) {
                continue;
            }
        }
        for line in block {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_address_of_the_network_of_containers_is_replaced() {
        let addresses = Addresses::for_tests();
        for (there, _) in moved(&addresses) {
            assert!(
                PROMETHEUS.contains(there),
                "{there} is not in prometheus.yml"
            );
        }
        let text = prometheus(&addresses);
        let hosts = text
            .lines()
            .filter(|line| line.contains("targets: [") || line.contains("url: "));
        let (mut count, mut elsewhere) = (0, Vec::new());
        for line in hosts {
            count += 1;
            if !line.contains("127.0.0.1:") {
                elsewhere.push(line);
            }
        }
        assert!(count > 4 && elsewhere.is_empty(), "{count} {elsewhere:?}");
    }

    #[test]
    fn who_is_told_is_told_there_and_nobody_else_is() {
        assert!(ALERTMANAGER.contains(PAGER) && ALERTMANAGER.contains(HEARTBEAT));
        let pager = Some("http://127.0.0.1:4000/a?b=c#d");
        let text = alertmanager(Told {
            pager,
            heartbeat: None,
        });
        assert!(
            text.contains(r#"url: "http://127.0.0.1:4000/a?b=c#d""#),
            "{text}"
        );
        assert!(!text.contains("pager:8060"), "{text}");
        assert_eq!(text.matches("webhook_configs").count(), 1, "{text}");
        assert!(
            text.contains("- name: heartbeat") && text.contains("- name: people"),
            "{text}"
        );
        let nobody = alertmanager(Told {
            pager: None,
            heartbeat: None,
        });
        assert!(
            !nobody.contains("webhook_configs") && !nobody.contains("send_resolved"),
            "{nobody}"
        );
    }

    #[test]
    fn every_rule_of_the_repository_is_carried() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../prometheus/rules");
        let names = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
        let there: BTreeSet<String> = fs::read_dir(folder).unwrap().flat_map(names).collect();
        let carried: BTreeSet<String> = RULES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(carried, there);
    }
}

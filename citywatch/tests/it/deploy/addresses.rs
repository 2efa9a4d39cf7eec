use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::{Compose, root, strings};

/// Files that name containers, which they find by compose.yml's names.
const FILES: [&str; 5] = [
    "prometheus/prometheus.yml",
    "prometheus/alertmanager.yml",
    "otel-collector.yaml",
    "deploy/jaeger.yaml",
    "grafana/provisioning/datasources/citywatch.yaml",
];

/// Which ports each container has a listener on, by the files that tell it so.
fn listeners(compose: &Compose) -> BTreeMap<&str, BTreeSet<u16>> {
    let mut listeners: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
    for (name, service) in compose.services() {
        let ports = listeners.entry(name).or_default();
        ports.extend(addresses(&service["environment"].to_string()).filter_map(everywhere));
        // Where it is asked for its health, it listens.
        let test = strings(&service["healthcheck"]["test"]).join(" ");
        ports.extend(addresses(&test).map(|(_, port)| port));
        let file = match name.as_str() {
            "otel-collector" => "otel-collector.yaml",
            "jaeger" => "deploy/jaeger.yaml",
            _ => continue,
        };
        let text = fs::read_to_string(root().join(file)).unwrap();
        ports.extend(addresses(&text).filter_map(everywhere));
        // Their own metrics have host and port apart.
        ports.extend(text.lines().filter_map(|line| {
            let default = line.trim().strip_prefix("port: ${env:")?;
            default
                .split(":-")
                .nth(1)?
                .trim_end_matches('}')
                .parse::<u16>()
                .ok()
        }));
    }
    listeners
}

/// Every `host:port` of a text, comments left out.
fn addresses(text: &str) -> impl Iterator<Item = (&str, u16)> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let words = lines
        .flat_map(|line| line.split(|c: char| !(c.is_ascii_alphanumeric() || "-._:".contains(c))));
    words.filter_map(|word| {
        // A variable's default has a dash before it: `${env:NAME:-host:port}`.
        let word = word.rsplit_once(":-").map_or(word, |(_, default)| default);
        let (host, port) = word.trim_matches(':').rsplit_once(':')?;
        let port = port.parse().ok()?;
        (!host.is_empty() && !host.contains(':')).then_some((host, port))
    })
}

fn everywhere((host, port): (&str, u16)) -> Option<u16> {
    (host == "0.0.0.0").then_some(port)
}

#[test]
fn whoever_is_named_listens_there() {
    let compose = Compose::read();
    let listeners = listeners(&compose);
    let mut seen = BTreeSet::new();
    let texts = FILES
        .iter()
        .map(|file| (*file, fs::read_to_string(root().join(file)).unwrap()));
    let environments = compose.services().iter();
    let environments =
        environments.map(|(name, service)| (name.as_str(), service["environment"].to_string()));
    for (file, text) in texts.chain(environments) {
        for (host, port) in addresses(&text) {
            match host {
                "0.0.0.0" | "localhost" | "127.0.0.1" => continue,
                // Not a container: alertmanager's extra_hosts says who that is.
                "pager" => assert!(
                    compose.0["services"]["alertmanager"]["extra_hosts"][0]
                        .as_str()
                        .unwrap()
                        .starts_with("pager:")
                ),
                _ => {
                    let ports = listeners.get(host);
                    let ports = ports.unwrap_or_else(|| panic!("{file}: {host} is nobody's name"));
                    assert!(
                        ports.contains(&port),
                        "{file}: {host} does not listen on {port}"
                    );
                }
            }
            seen.insert(format!("{host}:{port}"));
        }
    }
    // Those without which nobody would watch; else a new form of address would pass unread.
    for address in [
        "registry:8500",
        "acquirer:8600",
        "otel-collector:4318",
        "otel-collector:8888",
        "otel-collector:8889",
        "observatory:4317",
        "observatory:16686",
        "jaeger:4317",
        "jaeger:8888",
        "jaeger:16686",
        "prometheus:9090",
        "alertmanager:9093",
        "pager:8060",
    ] {
        assert!(seen.contains(address), "{address} is named nowhere");
    }
}

#[test]
fn what_is_published_is_listened_on_and_once() {
    let compose = Compose::read();
    let listeners = listeners(&compose);
    let mut published = BTreeSet::new();
    for (name, service) in compose.services() {
        for port in strings(&service["ports"]) {
            let (outside, inside) = port.rsplit_once(':').unwrap();
            let listens = listeners[name.as_str()].contains(&inside.parse().unwrap());
            assert!(listens, "{name} does not listen on {inside}");
            assert!(
                published.insert(outside.to_owned()),
                "{outside} is published twice"
            );
        }
    }
}

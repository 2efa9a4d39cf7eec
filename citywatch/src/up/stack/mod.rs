//! The stack that others make, beside the city: an OpenTelemetry Collector, Jaeger, Prometheus and
//! Alertmanager, each a process that is supervised as the services are.
//!
//! They know nothing of the city but what their configuration says, and nothing of a leash, which
//! therefore is put around them (`citywatch leash`).

mod files;
mod health;
mod programs;
mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use app::settings::{SettingsError, Sources};

use super::board::{Board, name};
use super::plan::{reachable, url};
use super::ports::{Listeners, Settling};
use super::supervisor::Spec;
use crate::bank;
use crate::data_dir::DataDir;
use crate::services::{Setting, list, variable};
use files::{Files, Told};
use health::Health;
pub(crate) use programs::PROGRAMS;
use settings::Settings;
pub(crate) use settings::{ABOUT, SECTION};

/// What each is called on the board, in the logs, for `hold`, and as a job in Prometheus.
pub(crate) const COLLECTOR: &str = "otel-collector";
pub(crate) const JAEGER: &str = "jaeger";
pub(crate) const PROMETHEUS: &str = "prometheus";
pub(crate) const ALERTMANAGER: &str = "alertmanager";

/// Whether a process is one of these, and none of the city's.
pub(crate) fn is_part(service: &str) -> bool {
    PROGRAMS.iter().any(|program| program.name == service)
}

/// Whether it judges the city: it is there last, and goes first, so that nobody is told of what
/// starts or stops on purpose.
pub(crate) fn judges(service: &str) -> bool {
    [PROMETHEUS, ALERTMANAGER].contains(&service)
}

/// Where it answers for its health, on the listener that the board has as its admin address.
pub(crate) fn health_path(service: &str) -> &'static str {
    match service {
        COLLECTOR => "/",
        JAEGER => "/status",
        _ => "/-/ready",
    }
}

/// What `up` says of each address.
pub(crate) const PAGES: [(&str, &str); 5] = [
    (JAEGER, "the traces that were kept"),
    (PROMETHEUS, "metrics and alerts"),
    (ALERTMANAGER, "who is told of what"),
    ("collector", "OTLP over HTTP, for all that watch"),
    ("collector_grpc", "OTLP over gRPC"),
];

/// Every setting of its section, as file and environment have them.
pub(crate) fn settings(sources: &Sources) -> Result<Vec<Setting>, SettingsError> {
    let (_, settings) = sources.read::<Settings>(SECTION)?;
    Ok(list(false, &settings, &Settings::default()))
}

/// Every listener of the stack, and what it has to reach of the city.
#[derive(Clone, Debug)]
struct Addresses {
    /// Base URL.
    registry: String,
    observatory_otlp_grpc: SocketAddr,
    collector_otlp_grpc: SocketAddr,
    collector_otlp_http: SocketAddr,
    collector_span_metrics: SocketAddr,
    collector_telemetry: SocketAddr,
    collector_health: SocketAddr,
    jaeger: SocketAddr,
    jaeger_grpc: SocketAddr,
    jaeger_otlp_grpc: SocketAddr,
    jaeger_telemetry: SocketAddr,
    jaeger_health: SocketAddr,
    prometheus: SocketAddr,
    alertmanager: SocketAddr,
}

impl Addresses {
    fn settle(
        settings: &Settings,
        city: &BTreeMap<&'static str, Listeners>,
        settling: &mut Settling,
    ) -> Result<Self> {
        let mut named = |who: &str, key: &str, wanted: &str| {
            settling.take(who, &variable(SECTION, key), wanted)
        };
        let Settings {
            prometheus_listen,
            alertmanager_listen,
            jaeger_listen,
            collector_otlp_grpc_listen,
            collector_otlp_http_listen,
            ..
        } = settings;
        let prometheus = named(PROMETHEUS, "prometheus_listen", prometheus_listen)?;
        let alertmanager = named(ALERTMANAGER, "alertmanager_listen", alertmanager_listen)?;
        let jaeger = named(JAEGER, "jaeger_listen", jaeger_listen)?;
        let (grpc, http) = ("collector_otlp_grpc_listen", "collector_otlp_http_listen");
        let collector_otlp_grpc = named(COLLECTOR, grpc, collector_otlp_grpc_listen)?;
        let collector_otlp_http = named(COLLECTOR, http, collector_otlp_http_listen)?;
        Ok(Self {
            registry: url(city, "registry", "listen").context("the registry has no address")?,
            observatory_otlp_grpc: reachable(city["observatory"]["otlp_grpc_listen"]),
            collector_otlp_grpc,
            collector_otlp_http,
            collector_span_metrics: settling.free()?,
            collector_telemetry: settling.free()?,
            collector_health: settling.free()?,
            jaeger,
            jaeger_grpc: settling.free()?,
            jaeger_otlp_grpc: settling.free()?,
            jaeger_telemetry: settling.free()?,
            jaeger_health: settling.free()?,
            prometheus,
            alertmanager,
        })
    }

    #[cfg(test)]
    fn for_tests() -> Self {
        let mut ports = 9000_u16..;
        let mut next = || SocketAddr::from(([127, 0, 0, 1], ports.next().unwrap()));
        Self {
            registry: "http://127.0.0.1:8999".into(),
            observatory_otlp_grpc: next(),
            collector_otlp_grpc: next(),
            collector_otlp_http: next(),
            collector_span_metrics: next(),
            collector_telemetry: next(),
            collector_health: next(),
            jaeger: next(),
            jaeger_grpc: next(),
            jaeger_otlp_grpc: next(),
            jaeger_telemetry: next(),
            jaeger_health: next(),
            prometheus: next(),
            alertmanager: next(),
        }
    }
}

/// The stack as it is to be.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) specs: Vec<Spec>,
    /// By what answers there: base URLs.
    pub(crate) addresses: BTreeMap<String, String>,
    /// Where the services send their spans.
    pub(crate) collector: SocketAddr,
    healths: Vec<Health>,
}

impl Stack {
    /// Finds the programs, settles their addresses and writes their files.
    pub(crate) fn plan(
        data: &DataDir,
        sources: &Sources,
        pager: Option<&str>,
        city: &BTreeMap<&'static str, Listeners>,
        settling: &mut Settling,
    ) -> Result<Self> {
        let (_, settings) = sources.read::<Settings>(SECTION)?;
        let programs = find_all()?;
        let addresses = Addresses::settle(&settings, city, settling)?;
        let files = Files::new(data.stack());
        let set = |url: &'_ str| (!url.is_empty()).then(|| url.to_owned());
        let pager = pager.map_or_else(|| set(settings.pager_url.expose()), set);
        let heartbeat = set(settings.heartbeat_url.expose());
        let told = Told {
            pager: pager.as_deref(),
            heartbeat: heartbeat.as_deref(),
        };
        files.write(&addresses, told)?;
        let leash = std::env::current_exe().context("where this program is")?;
        let specs = PROGRAMS
            .iter()
            .zip(&programs)
            .map(|(program, path)| spec(program.name, path, &leash, data, &files, &addresses))
            .collect();
        Ok(Self {
            specs,
            collector: addresses.collector_otlp_http,
            healths: healths(&addresses),
            addresses: pages(&addresses),
        })
    }

    /// Watches them become ready, every time that they start.
    pub(crate) fn watch(&self, board: &Board) -> Result<()> {
        let client = health::client()?;
        for health in &self.healths {
            tokio::spawn(health::watch(health.clone(), board.clone(), client.clone()));
        }
        Ok(())
    }
}

fn find_all() -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for program in &PROGRAMS {
        match program.find() {
            Some(path) => found.push(path),
            None => missing.push(format!("{}: {}", program.name, program.remedy())),
        }
    }
    if !missing.is_empty() {
        bail!(
            "--stack wants programs that are not here\n{}",
            missing.join("\n")
        );
    }
    Ok(found)
}

fn pages(addresses: &Addresses) -> BTreeMap<String, String> {
    let all = [
        (JAEGER, addresses.jaeger),
        (PROMETHEUS, addresses.prometheus),
        (ALERTMANAGER, addresses.alertmanager),
        ("collector", addresses.collector_otlp_http),
        ("collector_grpc", addresses.collector_otlp_grpc),
    ];
    all.into_iter()
        .map(|(page, address)| {
            let address = reachable(address);
            (page.to_owned(), format!("http://{address}"))
        })
        .collect()
}

fn healths(addresses: &Addresses) -> Vec<Health> {
    let all = [
        (
            COLLECTOR,
            addresses.collector_health,
            addresses.collector_otlp_http,
        ),
        (JAEGER, addresses.jaeger_health, addresses.jaeger),
        (PROMETHEUS, addresses.prometheus, addresses.prometheus),
        (ALERTMANAGER, addresses.alertmanager, addresses.alertmanager),
    ];
    all.into_iter()
        .map(|(program, address, public)| Health {
            process: name(program, 1),
            address: reachable(address),
            path: health_path(program),
            public: reachable(public),
        })
        .collect()
}

fn spec(
    program: &'static str,
    path: &Path,
    leash: &Path,
    data: &DataDir,
    files: &Files,
    addresses: &Addresses,
) -> Spec {
    let mut arguments = vec![
        "leash".to_owned(),
        "--".to_owned(),
        path.display().to_string(),
    ];
    arguments.extend(program_arguments(program, files, addresses));
    Spec {
        service: program,
        replica: 1,
        program: leash.to_owned(),
        arguments,
        environment: environment(program, addresses),
        withheld: withheld(),
        log: data.log(program, 1),
    }
}

/// Logs are JSON lines everywhere, so that warnings are shown as those of the services are.
fn program_arguments(program: &str, files: &Files, addresses: &Addresses) -> Vec<String> {
    let collector = |file: &Path| {
        vec![
            format!("--config={}", file.display()),
            "--set=service.telemetry.logs.encoding=json".to_owned(),
        ]
    };
    match program {
        COLLECTOR => collector(&files.collector()),
        JAEGER => collector(&files.jaeger()),
        PROMETHEUS => vec![
            format!("--config.file={}", files.prometheus().display()),
            format!("--storage.tsdb.path={}", files.measured().display()),
            format!("--web.listen-address={}", addresses.prometheus),
            format!("--web.external-url=http://{}", addresses.prometheus),
            "--enable-feature=exemplar-storage".to_owned(),
            "--log.format=json".to_owned(),
        ],
        _ => vec![
            format!("--config.file={}", files.alertmanager().display()),
            format!("--storage.path={}", files.silences().display()),
            format!("--web.listen-address={}", addresses.alertmanager),
            format!("--web.external-url=http://{}", addresses.alertmanager),
            // One alone has nobody to agree with.
            "--cluster.listen-address=".to_owned(),
            "--log.format=json".to_owned(),
        ],
    }
}

fn environment(program: &str, addresses: &Addresses) -> Vec<(String, String)> {
    let at = |name: &str, address: SocketAddr| (name.to_owned(), address.to_string());
    let telemetry = |prefix: &str, address: SocketAddr| {
        [
            (format!("{prefix}_TELEMETRY_HOST"), address.ip().to_string()),
            (
                format!("{prefix}_TELEMETRY_PORT"),
                address.port().to_string(),
            ),
        ]
    };
    match program {
        COLLECTOR => [
            at("COLLECTOR_HEALTH", addresses.collector_health),
            at("COLLECTOR_OTLP_GRPC", addresses.collector_otlp_grpc),
            at("COLLECTOR_OTLP_HTTP", addresses.collector_otlp_http),
            at("COLLECTOR_SPAN_METRICS", addresses.collector_span_metrics),
            at("OBSERVATORY_OTLP_GRPC", addresses.observatory_otlp_grpc),
            at("JAEGER_OTLP_GRPC", addresses.jaeger_otlp_grpc),
        ]
        .into_iter()
        .chain(telemetry("COLLECTOR", addresses.collector_telemetry))
        .collect(),
        JAEGER => [
            at("JAEGER_HEALTH", addresses.jaeger_health),
            at("JAEGER_HTTP", addresses.jaeger),
            at("JAEGER_GRPC", addresses.jaeger_grpc),
            at("JAEGER_OTLP_GRPC", addresses.jaeger_otlp_grpc),
        ]
        .into_iter()
        .chain(telemetry("JAEGER", addresses.jaeger_telemetry))
        .collect(),
        _ => Vec::new(),
    }
}

/// Variables of this process that are the city's and not theirs: they may hold secrets.
fn withheld() -> Vec<String> {
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| {
            let ours = ["CITYWATCH_", "OTEL_"];
            ours.iter().any(|prefix| name.starts_with(prefix)) || bank::is_its_own(name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_of_an_address_is_one_that_the_file_has() {
        let collector = include_str!("../../../../otel-collector.yaml");
        let jaeger = include_str!("../../../../deploy/jaeger.yaml");
        for (program, file) in [(COLLECTOR, collector), (JAEGER, jaeger)] {
            let told = environment(program, &Addresses::for_tests());
            for (name, _) in &told {
                assert!(
                    file.contains(&format!("${{env:{name}:-")),
                    "{program}: {name}"
                );
            }
            // Whatever has an address by default is told another.
            let addresses = file.split("${env:").skip(1).filter_map(|rest| {
                let (name, rest) = rest.split_once(":-")?;
                let default = rest.split_once('}')?.0;
                (default.contains(':') || name.contains("_TELEMETRY_")).then_some(name)
            });
            let missing: Vec<&str> = addresses
                .filter(|name| !told.iter().any(|(told, _)| told == name))
                .collect();
            assert!(missing.is_empty(), "{program}: {missing:?}");
        }
    }

    #[test]
    fn each_has_its_health_and_its_place_on_the_board() {
        let healths = healths(&Addresses::for_tests());
        for program in &PROGRAMS {
            let process = name(program.name, 1);
            assert!(
                healths.iter().any(|health| health.process == process),
                "{process}"
            );
            assert!(is_part(program.name));
        }
        assert!(!is_part("catalog"));
    }
}

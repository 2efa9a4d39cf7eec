//! Which processes make the city, and what each is told: arguments and environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::ports::{self, Listeners, Settling};
use super::stack::Stack;
use super::supervisor::{Patience, Spec};
use crate::bank;
use crate::data_dir::DataDir;
use crate::services::{self, Entry, SERVICES, Setting, variable};

/// What a process may take beyond its own drain and delivery bounds before it is told again.
const GRACE: Duration = Duration::from_secs(3);

/// The city as it is to be.
pub(crate) struct Plan {
    pub(crate) specs: Vec<Spec>,
    pub(crate) patience: Patience,
    pub(crate) listeners: BTreeMap<&'static str, Listeners>,
    pub(crate) stack: Option<Stack>,
}

/// What whoever raises the city says of it, beside the settings.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) replicas: BTreeMap<String, u32>,
    /// It may be broken on purpose.
    pub(crate) faults: bool,
    /// With the stack that others make.
    pub(crate) stack: bool,
    /// Who is told of alerts, if not who the settings name.
    pub(crate) pager: Option<&'a str>,
}

/// What is known to few.
pub(crate) struct Secrets {
    /// For every service: whoever shows it may change its state.
    pub(crate) operator_token: String,
    /// For the bank alone, and whoever sets how it behaves.
    pub(crate) acquirer_token: String,
    /// For the users service alone.
    pub(crate) first_admin_password: Option<String>,
}

pub(crate) fn plan(
    data: &DataDir,
    config: Option<&Path>,
    wanted: &Wanted<'_>,
    secrets: &Secrets,
) -> Result<Plan> {
    for (service, &count) in &wanted.replicas {
        let entry = services::find(service)?;
        if count != 1 && !entry.replicable {
            bail!(
                "{service} runs as one process here; --replicas is for {}",
                replicable()
            );
        }
        if count == 0 {
            bail!("--replicas {service}=0: use `citywatch hold {service}` to take it down");
        }
    }
    let sources = services::sources(config)?;
    let mut settings = BTreeMap::new();
    for entry in SERVICES {
        settings.insert(entry.name, entry.settings(&sources)?);
    }
    let fixed = SERVICES.iter().filter(|entry| !entry.replicable);
    let mut settling = Settling::default();
    let fixed = fixed.map(|entry| (entry, &*settings[entry.name]));
    let listeners = ports::settle(fixed, &mut settling)?;
    let plan_stack = || Stack::plan(data, &sources, wanted.pager, &listeners, &mut settling);
    let stack = wanted.stack.then(plan_stack).transpose()?;
    settling.done()?;
    data.ensure_service_keys(SERVICES.iter().map(|entry| entry.name))?;
    let program = std::env::current_exe().context("where this program is")?;
    let config = config.map(std::path::absolute).transpose()?;
    let collector = stack.as_ref().map(|stack| stack.collector);
    let city = city_environment(data, &listeners, collector, wanted.faults);
    let mut specs = vec![the_bank(data, &program, &listeners, secrets)];
    specs.extend(stack.iter().flat_map(|stack| stack.specs.clone()));
    for entry in SERVICES {
        let mut environment = city.clone();
        environment.extend(own_environment(entry, data, &listeners, secrets));
        for replica in 1..=wanted.replicas.get(entry.name).copied().unwrap_or(1) {
            specs.push(Spec {
                service: entry.name,
                replica,
                program: program.clone(),
                arguments: arguments(entry, config.as_deref()),
                environment: environment.clone(),
                withheld: withheld_from(entry),
                log: data.log(entry.name, replica),
            });
        }
    }
    Ok(Plan {
        specs,
        patience: patience(&settings),
        listeners,
        stack,
    })
}

fn the_bank(
    data: &DataDir,
    program: &Path,
    listeners: &BTreeMap<&'static str, Listeners>,
    secrets: &Secrets,
) -> Spec {
    Spec {
        service: bank::NAME,
        replica: 1,
        program: program.to_owned(),
        arguments: ["serve", bank::NAME, "--leash"].map(str::to_owned).into(),
        environment: bank::environment(
            data,
            listeners[bank::NAME]["listen"],
            &secrets.acquirer_token,
        ),
        withheld: bank::withheld(),
        log: data.log(bank::NAME, 1),
    }
}

fn replicable() -> String {
    let names: Vec<&str> = SERVICES
        .iter()
        .filter(|entry| entry.replicable)
        .map(|entry| entry.name)
        .collect();
    names.join(", ")
}

fn arguments(entry: &Entry, config: Option<&Path>) -> Vec<String> {
    let mut arguments = vec![
        "serve".to_owned(),
        entry.name.to_owned(),
        "--leash".to_owned(),
    ];
    if let Some(config) = config {
        arguments.push("--config".to_owned());
        arguments.push(config.display().to_string());
    }
    arguments
}

/// What all are told.
fn city_environment(
    data: &DataDir,
    listeners: &BTreeMap<&'static str, Listeners>,
    collector: Option<SocketAddr>,
    faults: bool,
) -> Vec<(String, String)> {
    let mut environment = vec![
        (
            variable("city", "data_dir"),
            data.path().display().to_string(),
        ),
        (
            variable("city", "registry_url"),
            format!("http://{}", listeners["registry"]["listen"]),
        ),
    ];
    if faults {
        environment.push((variable("city", "faults_enabled"), "true".to_owned()));
    }
    let unset = |name: &str| std::env::var_os(name).is_none();
    // Whoever points telemetry elsewhere is obeyed.
    if unset("OTEL_EXPORTER_OTLP_ENDPOINT") && unset("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
        let collector = collector.unwrap_or(listeners["observatory"]["otlp_http_listen"]);
        environment.push((
            "OTEL_EXPORTER_OTLP_ENDPOINT".into(),
            format!("http://{collector}"),
        ));
        environment.push(("OTEL_EXPORTER_OTLP_PROTOCOL".into(), "http/protobuf".into()));
    }
    // glibc keeps an arena a thread and learns to keep big blocks: a hashed password's 19 MiB
    // would stay in the heap for ever. Other allocators ignore these.
    for (name, value) in [
        ("MALLOC_ARENA_MAX", "2"),
        ("MALLOC_MMAP_THRESHOLD_", "131072"),
        ("MALLOC_TRIM_THRESHOLD_", "131072"),
    ] {
        if unset(name) {
            environment.push((name.into(), value.into()));
        }
    }
    environment
}

/// What one service is told and no other.
fn own_environment(
    entry: &Entry,
    data: &DataDir,
    listeners: &BTreeMap<&'static str, Listeners>,
    secrets: &Secrets,
) -> Vec<(String, String)> {
    let key_file = data.service_key(entry.name).display().to_string();
    let mut environment = vec![
        (entry.variable("service_key_file"), key_file),
        (
            entry.variable("operator_token"),
            secrets.operator_token.clone(),
        ),
    ];
    for (key, address) in listeners.get(entry.name).into_iter().flatten() {
        environment.push((entry.variable(key), address.to_string()));
    }
    match entry.name {
        "registry" => {
            let keys = data.service_keys().display().to_string();
            environment.push((entry.variable("service_keys"), keys));
        }
        "payments" => {
            if let Some(url) = url(listeners, bank::NAME, "listen") {
                environment.push((entry.variable("acquirer_url"), url));
            }
        }
        "users" => {
            if let Some(password) = &secrets.first_admin_password {
                environment.push((entry.variable("first_admin_password"), password.clone()));
            }
        }
        _ => {}
    }
    environment
}

/// Variables of this process that are for other services: they may hold their secrets.
fn withheld_from(entry: &Entry) -> Vec<String> {
    let others: Vec<String> = SERVICES
        .iter()
        .filter(|other| other.name != entry.name)
        .map(|other| variable(other.name, ""))
        .collect();
    std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| {
            bank::is_its_own(name)
                || others
                    .iter()
                    .any(|prefix| name.starts_with(prefix.as_str()))
        })
        .collect()
}

fn patience(settings: &BTreeMap<&'static str, Vec<Setting>>) -> Patience {
    let longest = |key: &str| {
        let all = settings.values().flatten();
        let values = all
            .filter(|setting| setting.key.name == key)
            .filter_map(|setting| setting.value.as_u64());
        Duration::from_millis(values.max().unwrap_or_default())
    };
    Patience {
        drain: longest("drain_timeout_ms") + longest("telemetry_shutdown_ms") + GRACE,
        terminate: GRACE,
    }
}

/// `catalog=3`, as an argument.
pub(crate) fn parse_replicas(text: &str) -> Result<(String, u32), String> {
    let (service, count) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not of the form service=count, like catalog=3"))?;
    let count = count
        .parse()
        .map_err(|_| format!("`{count}` in `{text}` is not a count"))?;
    Ok((service.to_owned(), count))
}

/// Where a listener's address is reached from this machine.
pub(crate) fn url(
    listeners: &BTreeMap<&'static str, Listeners>,
    service: &str,
    key: &str,
) -> Option<String> {
    let address = listeners.get(service)?.get(key)?;
    Some(format!("http://{}", reachable(*address)))
}

/// An address that says every interface, as it is reached from beside it.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets {
            operator_token: "operator".into(),
            acquirer_token: "acquirer".into(),
            first_admin_password: Some("password".into()),
        }
    }

    fn listeners() -> BTreeMap<&'static str, Listeners> {
        let at = |port: u16| SocketAddr::from(([0, 0, 0, 0], port));
        BTreeMap::from([
            ("registry", Listeners::from([("listen", at(8500))])),
            ("gateway", Listeners::from([("listen", at(8080))])),
            ("acquirer", Listeners::from([("listen", at(4000))])),
            (
                "observatory",
                Listeners::from([("otlp_http_listen", at(4318))]),
            ),
        ])
    }

    #[test]
    fn secrets_go_to_those_who_need_them() {
        let data = DataDir::named(Some(Path::new("/tmp/city"))).unwrap();
        for entry in SERVICES {
            let environment = own_environment(entry, &data, &listeners(), &secrets());
            let holds = |value: &str| environment.iter().any(|(_, held)| held == value);
            assert!(holds("operator"), "{}", entry.name);
            assert!(!holds("acquirer"), "{}", entry.name);
            assert_eq!(holds("password"), entry.name == "users", "{}", entry.name);
            assert!(holds(&format!("/tmp/city/keys/{}.pem", entry.name)));
        }
    }

    #[test]
    fn every_variable_that_is_set_is_a_setting() {
        let data = DataDir::named(Some(Path::new("/tmp/city"))).unwrap();
        for entry in SERVICES {
            let mut environment = city_environment(&data, &listeners(), None, false);
            environment.extend(own_environment(entry, &data, &listeners(), &secrets()));
            let sources = app::settings::Sources::from_environment(environment);
            if let Err(error) = entry.settings(&sources) {
                panic!("{}: {error}", entry.name);
            }
        }
    }

    #[test]
    fn unspecified_addresses_are_reached_by_loopback() {
        assert_eq!(
            url(&listeners(), "gateway", "listen").unwrap(),
            "http://127.0.0.1:8080"
        );
    }

    #[test]
    fn replicas_are_parsed_and_checked() {
        assert_eq!(parse_replicas("catalog=3"), Ok(("catalog".into(), 3)));
        assert!(parse_replicas("catalog").is_err());
        assert!(parse_replicas("catalog=many").is_err());
        let data = DataDir::named(Some(Path::new("/tmp/city"))).unwrap();
        let two = Wanted {
            replicas: BTreeMap::from([("gateway".to_owned(), 2)]),
            ..Wanted::default()
        };
        let error = plan(&data, None, &two, &secrets())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("one process"), "{error}");
    }
}

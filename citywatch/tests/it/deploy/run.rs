//! Some of the city, each a process with the command and the environment that compose.yml gives it,
//! but for what only a container has: `/keys`, `/data`, names and ports of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{CITYWATCH, Compose, make_keys, strings};
use crate::harness::{signal, within};

const SOON: Duration = Duration::from_secs(20);

struct Container {
    name: &'static str,
    environment: Vec<(String, String)>,
    process: Child,
    ready: Value,
}

/// `registry:8500` and the like, where they are in this test.
type Places = Vec<(&'static str, SocketAddr)>;

fn free() -> SocketAddr {
    // Free at this moment, which is enough where few tests take ports of their own choice.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

impl Container {
    async fn start(compose: &Compose, name: &'static str, folder: &Path, places: &Places) -> Self {
        let data = folder.join("data").join(name);
        fs::create_dir_all(&data).unwrap();
        let keys = folder.join("keys").join(name);
        let environment: Vec<_> = compose
            .environment(name)
            .into_iter()
            .map(|(variable, value)| (variable, mapped(&value, places, &data, &keys)))
            .collect();
        let mut process = Command::new(CITYWATCH)
            .args(strings(&compose.services()[name]["command"]))
            .env_clear()
            .envs(environment.iter().cloned())
            .current_dir(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join(format!("{name}.err"))).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = async {
            loop {
                let line = lines.next_line().await.unwrap()?;
                if let Some(ready) = line.strip_prefix("READY ") {
                    break Some(serde_json::from_str(ready).unwrap());
                }
            }
        };
        let said = || fs::read_to_string(folder.join(format!("{name}.err"))).unwrap();
        let ready = match tokio::time::timeout(SOON, ready).await {
            Ok(Some(ready)) => ready,
            other => panic!("{name} is not ready: {other:?}\n{}", said()),
        };
        // Nobody writes to a pipe that nobody reads.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            name,
            environment,
            process,
            ready,
        }
    }

    /// Runs its health check, as an engine would: in its own environment.
    async fn is_healthy(&self, compose: &Compose, places: &Places) -> bool {
        let test = strings(&compose.services()[self.name]["healthcheck"]["test"]);
        assert_eq!(test[..2], ["CMD", "/citywatch"]);
        let nowhere = Path::new("");
        let arguments = test[2..]
            .iter()
            .map(|argument| mapped(argument, places, nowhere, nowhere));
        let asked = Command::new(CITYWATCH)
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .output()
            .await
            .unwrap();
        asked.status.success()
    }

    fn port(&self, listener: &str) -> u16 {
        let address: SocketAddr = self.ready[listener].as_str().unwrap().parse().unwrap();
        assert!(
            address.ip().is_unspecified(),
            "{}: not as in a container",
            self.name
        );
        address.port()
    }

    /// Stops it as an engine does.
    async fn stop(mut self) {
        signal(self.process.id().unwrap().try_into().unwrap(), Signal::TERM);
        let ended = tokio::time::timeout(SOON, self.process.wait())
            .await
            .unwrap()
            .unwrap();
        assert!(ended.success(), "{}: {ended}", self.name);
    }
}

fn mapped(value: &str, places: &Places, data: &Path, keys: &Path) -> String {
    if let Some(file) = value.strip_prefix("/keys/") {
        return keys.join(file).display().to_string();
    }
    if value == "/data" || value.starts_with("/data/") {
        return format!("{}{}", data.display(), &value["/data".len()..]);
    }
    for (place, address) in places {
        let (_, port) = place.split_once(':').unwrap();
        // Its own listener, or its own health check.
        for own in [format!("0.0.0.0:{port}"), format!("127.0.0.1:{port}")] {
            if value.contains(&own) {
                let here = own.replace(port, &address.port().to_string());
                return value.replace(&own, &here);
            }
        }
        if value.contains(place) {
            return value.replace(place, &address.to_string());
        }
    }
    // In a container nobody else listens on its ports; here all do on one machine.
    match value {
        "0.0.0.0:8000" | "0.0.0.0:9000" => format!("0.0.0.0:{}", free().port()),
        // Nobody takes telemetry here, and nobody minds.
        "http://otel-collector:4318" => "http://127.0.0.1:9".to_owned(),
        _ => value.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_leads_to_the_services_and_each_says_that_it_is_well() {
    let compose = Compose::read();
    let folder = tempfile::tempdir().unwrap();
    make_keys(folder.path());
    let named = ["registry:8500", "gateway:8080", "acquirer:8600"];
    let places: Places = named.into_iter().map(|place| (place, free())).collect();
    let mut containers = Vec::new();
    for name in ["registry", "acquirer", "users", "catalog", "gateway"] {
        containers.push(Container::start(&compose, name, folder.path(), &places).await);
    }

    for container in &containers {
        let healthy = within(SOON, async || container.is_healthy(&compose, &places).await).await;
        assert!(healthy.is_some(), "{} is never healthy", container.name);
    }

    // What listens everywhere is advertised where it can be reached.
    let registry = places[0].1;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let targets = http.get(format!("http://{registry}/prometheus/targets"));
    let targets: Value = targets.send().await.unwrap().json().await.unwrap();
    for container in containers
        .iter()
        .filter(|container| container.name != "acquirer")
    {
        let service = |group: &&Value| group["labels"]["service"] == container.name;
        let group = targets.as_array().unwrap().iter().find(service);
        let group = group.unwrap_or_else(|| panic!("{} is not registered", container.name));
        let admin = format!("127.0.0.1:{}", container.port("admin"));
        assert_eq!(group["targets"], json!([admin]), "{}", container.name);
    }

    let gateway = places[1].1;
    let answers = |path: &str, wanted: StatusCode| {
        let request = http.get(format!("http://{gateway}{path}"));
        async move {
            request
                .send()
                .await
                .is_ok_and(|answer| answer.status() == wanted)
        }
    };
    let browsed = within(SOON, async || {
        answers("/api/products", StatusCode::OK).await
    })
    .await;
    assert!(browsed.is_some(), "the catalog is not reached");

    // The first admin's password is in a file that only the users service is given.
    let password =
        fs::read_to_string(folder.path().join("keys/users/first-admin-password")).unwrap();
    let login = json!({"email": "admin@citywatch.example", "password": password});
    let login = http
        .post(format!("http://{gateway}/api/sessions"))
        .json(&login);
    assert_eq!(login.send().await.unwrap().status(), StatusCode::OK);

    // So are the operator's token, and the bank's.
    let token = fs::read_to_string(folder.path().join("keys/operator/operator-token")).unwrap();
    let documents = http
        .get(format!("http://{registry}/v1/documents"))
        .bearer_auth(token);
    assert_eq!(documents.send().await.unwrap().status(), StatusCode::OK);
    let token = fs::read_to_string(folder.path().join("keys/acquirer/token")).unwrap();
    let settings = format!("http://{}/settings", places[2].1);
    let settings = http
        .put(settings)
        .bearer_auth(token)
        .json(&json!({"delay_ms": 1}));
    assert!(settings.send().await.unwrap().status().is_success());

    // A service that is gone is not healthy.
    let gone = containers.remove(3);
    signal(gone.process.id().unwrap().try_into().unwrap(), Signal::STOP);
    assert!(!gone.is_healthy(&compose, &places).await);
    signal(gone.process.id().unwrap().try_into().unwrap(), Signal::CONT);
    containers.push(gone);
    // The registry last: the others take their leave of it.
    let registry = containers.remove(0);
    futures_util::future::join_all(containers.into_iter().map(Container::stop)).await;
    registry.stop().await;
}

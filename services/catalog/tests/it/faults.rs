//! Faults of the whole process, on the binary that users run.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use catalog::Catalog;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use testing::{Process, Town, eventually};

const SIGKILL: i32 = 9;

struct Real {
    process: Process,
    town: Town,
}

impl Real {
    async fn start() -> Self {
        let town = Town::new();
        let binary = env!("CARGO_BIN_EXE_citywatch-catalog");
        let settings = json!({ "faults_enabled": true, "seed_products": 3 });
        let command = town.command::<Catalog>(binary, &settings);
        let process = Process::start(command).await;
        Self { process, town }
    }

    async fn fault(&self, method: Method, path: &str, body: &Value) -> Response {
        let url = format!("{}/faults/{path}", self.process.admin_url);
        let request = self.process.http.request(method, url);
        let request = request.bearer_auth(self.town.operator_token()).json(body);
        request.send().await.unwrap()
    }

    async fn arm(&self, body: Value) {
        let armed = self.fault(Method::PUT, "server", &body).await;
        assert_eq!(armed.status(), 200, "{}", armed.text().await.unwrap());
    }

    async fn products(&self) -> reqwest::Result<Response> {
        let url = format!("{}/api/products", self.process.url);
        self.process.http.get(url).send().await
    }

    /// The state of the process as the kernel has it: `S` asleep, `T` stopped.
    fn state(&self) -> char {
        let stat = format!("/proc/{}/stat", self.process.id());
        let stat = std::fs::read_to_string(stat).unwrap();
        let (_, after) = stat.rsplit_once(") ").unwrap();
        after.chars().next().unwrap()
    }

    async fn stopped(&self) {
        eventually("the process is stopped", || async {
            (self.state() == 'T').then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn it_kills_itself() {
    let real = Real::start().await;
    real.arm(json!({ "action": "kill", "lease_ms": 60_000 }))
        .await;
    let armed = |line: &str| line.contains("fault armed").then(|| line.to_owned());
    let armed = real.process.line("of an armed fault", armed).await;
    assert!(
        armed.contains("WARN") && armed.contains("server"),
        "{armed}"
    );
    let answer = real.products().await;
    assert!(answer.is_err(), "{answer:?}");
    let ended = real.process.ended().await;
    assert_eq!(ended.status.signal(), Some(SIGKILL));
    let stopped = ended.said.iter().any(|line| line.starts_with("STOPPED"));
    assert!(!stopped, "it had no time for last words");
}

#[tokio::test]
async fn it_stops_itself_until_it_is_told_to_go_on() {
    let real = Real::start().await;
    real.arm(json!({ "action": "stop", "lease_ms": 60_000 }))
        .await;
    let mut asked = Box::pin(real.products());
    tokio::select! {
        answer = &mut asked => panic!("a stopped process has answered: {answer:?}"),
        () = real.stopped() => {}
    }
    // Its sockets are open, and nobody is there: not even on the other listener.
    let livez = real
        .process
        .http
        .get(format!("{}/livez", real.process.admin_url));
    let livez = livez.timeout(Duration::from_millis(200)).send().await;
    assert!(livez.unwrap_err().is_timeout());
    real.process.resume();
    let answered = tokio::time::timeout(Duration::from_secs(20), asked).await;
    assert_eq!(answered.expect("it goes on").unwrap().status(), 200);
    // Once is enough, though it is armed yet.
    assert_eq!(real.products().await.unwrap().status(), 200);
    let ended = real.process.stop().await;
    assert!(ended.status.success());
}

#[tokio::test]
async fn the_kernel_resumes_it_when_nobody_else_does() {
    let real = Real::start().await;
    let begun = Instant::now();
    real.arm(json!({ "action": "stop", "lease_ms": 1_000 }))
        .await;
    let mut asked = Box::pin(real.products());
    tokio::select! {
        answer = &mut asked => panic!("a stopped process has answered: {answer:?}"),
        () = real.stopped() => {}
    }
    let answered = tokio::time::timeout(Duration::from_secs(20), asked).await;
    assert_eq!(answered.expect("it is resumed").unwrap().status(), 200);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_ne!(real.state(), 'T');
    // Stopped or not, its clock has gone on: the lease is over.
    let renewed = real.fault(Method::POST, "server/renew", &Value::Null).await;
    assert_eq!(renewed.status(), 409);
}

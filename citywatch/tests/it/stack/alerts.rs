//! A service dies, and somebody is told.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::{Json, Router, routing};
use rustix::process::Signal;
use serde_json::Value;
use tokio::net::TcpListener;

use super::super::harness::{City, alive, signal, within};
use super::{SEEN, query, raise};

/// What the on-call engineer was promised.
const TOLD: Duration = Duration::from_secs(15);
const SOON: Duration = Duration::from_secs(20);

/// Somebody's pager: what Alertmanager posted, and when.
#[derive(Clone, Default)]
struct Pager {
    heard: Arc<Mutex<Vec<(Instant, Value)>>>,
}

impl Pager {
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/pages", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/pages", routing::post(hear))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    /// When it first heard of that, and the alert.
    fn heard(&self, alert: &str, job: &str, status: &str) -> Option<(Instant, Value)> {
        let heard = self.heard.lock().unwrap();
        heard.iter().find_map(|(at, page)| {
            let mut alerts = page["alerts"].as_array()?.iter();
            let found = alerts.find(|found| {
                found["labels"]["alertname"] == alert
                    && found["labels"]["job"] == job
                    && found["status"] == status
            });
            Some((*at, found?.clone()))
        })
    }
}

async fn hear(State(pager): State<Pager>, Json(page): Json<Value>) {
    pager.heard.lock().unwrap().push((Instant::now(), page));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_service_pages_and_its_return_resolves() {
    let pager = Pager::default();
    let url = pager.listen().await;
    let Some(mut city) = raise(&["--no-restart", "--pager", &url], &[]).await else {
        return;
    };
    // Whoever was never scraped alive cannot be missed.
    let up = r#"up{job="catalog"} == 1"#;
    let seen = within(SEEN, async || !query(&city, up).await.is_empty()).await;
    assert!(seen.is_some(), "{}", city.said());

    let killed = Instant::now();
    signal(city.pid("catalog-1").unwrap(), Signal::KILL);
    let told = async || pager.heard("ServiceDown", "catalog", "firing").is_some();
    assert!(
        within(TOLD, told).await.is_some(),
        "nobody was told\n{}",
        city.said()
    );
    let (at, page) = pager.heard("ServiceDown", "catalog", "firing").unwrap();
    println!("told {:.1} s after the death", (at - killed).as_secs_f64());
    let runbook = page["annotations"]["runbook_url"].as_str().unwrap();
    assert!(runbook.ends_with("runbooks/ServiceDown.md"), "{page}");

    let released = Instant::now();
    city.prints(&["release", "catalog"]).await;
    let resolved = async || pager.heard("ServiceDown", "catalog", "resolved").is_some();
    assert!(
        within(SEEN, resolved).await.is_some(),
        "not resolved\n{}",
        city.said()
    );
    let (at, _) = pager.heard("ServiceDown", "catalog", "resolved").unwrap();
    println!(
        "resolved {:.1} s after the return",
        (at - released).as_secs_f64()
    );

    a_killed_part_can_be_let_back(&city).await;
    nothing_outlives(&mut city).await;
}

/// The stack is held and released as services are.
async fn a_killed_part_can_be_let_back(city: &City) {
    for part in ["jaeger", "otel-collector", "alertmanager"] {
        let name = format!("{part}-1");
        let before = city.pid(&name).unwrap();
        city.prints(&["hold", part, "--crash"]).await;
        assert!(city.pid(&name).is_none() && !alive(before), "{part}");
        city.prints(&["release", part]).await;
        let now = city.pid(&name).unwrap();
        assert!(now != before && alive(now), "{part}");
    }
}

async fn nothing_outlives(city: &mut City) {
    let mut pids = city.pids();
    // Beside each part of the stack stands who holds its leash.
    let guards: Vec<i32> = pids.iter().flat_map(|pid| children(*pid)).collect();
    let stack = 4;
    assert!(guards.len() >= stack, "{guards:?}");
    pids.extend(guards);
    city.kill_up().await;
    let gone = within(SOON, async || !pids.iter().any(|pid| alive(*pid))).await;
    let left: Vec<_> = pids.into_iter().filter(|pid| alive(*pid)).collect();
    assert!(gone.is_some(), "left behind: {left:?}");
}

fn children(pid: i32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter();
    let lists = tasks
        .flatten()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids = lists.flat_map(|list| {
        let pids: Vec<i32> = list.split_whitespace().flat_map(str::parse).collect();
        pids
    });
    pids.collect()
}

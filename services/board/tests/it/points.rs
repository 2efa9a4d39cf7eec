//! Faults at the points of a post: it is there with its event, or neither is.

use board::Board;
use serde_json::{Value, json};
use testing::{Process, Town, eventually};

use crate::square::{MINA, draft, settings};
use crate::users::Users;

const PROGRAM: &str = env!("CARGO_BIN_EXE_citywatch-board");

struct Instance {
    process: Process,
    town: Town,
}

async fn start(town: &Town, users: &Users) -> Instance {
    let settings = settings(users, &json!({ "faults_enabled": true }));
    Instance {
        process: Process::start(town.command::<Board>(PROGRAM, &settings)).await,
        town: town.clone(),
    }
}

impl Instance {
    async fn arm(&self, point: &str, fault: &Value) {
        let url = format!("{}/faults/{point}", self.process.admin_url);
        let arm = self.process.http.put(url).json(fault);
        let arm = arm.bearer_auth(self.town.operator_token());
        assert_eq!(arm.send().await.unwrap().status(), 200, "{point}");
    }

    /// Status of the answer; none if there was none.
    async fn write(&self, title: &str) -> Option<u16> {
        let url = format!("{}/api/posts", self.process.url);
        let token = self.town.member_token(MINA, &[]);
        let write = self.process.http.post(url).bearer_auth(token);
        let answer = write.json(&draft(title)).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    async fn titles(&self) -> Vec<String> {
        let url = format!("{}/api/posts?limit=100", self.process.url);
        let answer = self.process.http.get(url).send().await.unwrap();
        let page: Value = answer.json().await.unwrap();
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|post| post["title"].as_str().unwrap().to_owned())
            .collect()
    }

    /// How many events there are, once all of them have their places in the feed.
    async fn published(&self) -> u64 {
        let url = format!("{}/inner/v1/events", self.process.url);
        eventually("every event is numbered", async || {
            let ask = self.process.http.get(&url);
            let ask = ask.bearer_auth(self.town.operator_token());
            let status: Value = ask.send().await.unwrap().json().await.unwrap();
            let outbox = &status["outbox"];
            (outbox["unpublished"] == 0).then(|| outbox["kept"].as_u64().unwrap())
        })
        .await
    }
}

#[tokio::test]
async fn every_point_has_a_name() {
    let town = Town::new();
    let users = Users::start(&town).await;
    let instance = start(&town, &users).await;
    let request = instance
        .process
        .http
        .get(format!("{}/faults", instance.process.admin_url));
    let answer = request.bearer_auth(town.operator_token()).send().await;
    let answer: Value = answer.unwrap().json().await.unwrap();
    let named = answer["points"].as_array().unwrap().iter();
    let mut named: Vec<_> = named.map(|point| point["name"].as_str().unwrap()).collect();
    named.retain(|name| name.starts_with("post.") || name.starts_with("names."));
    named.sort_unstable();
    let points = [
        "names.after_send",
        "names.before_send",
        "post.after_commit",
        "post.before_commit",
    ];
    assert_eq!(named, points);
}

#[tokio::test]
async fn a_post_is_there_with_its_event_or_neither_is() {
    let town = Town::new();
    let users = Users::start(&town).await;
    let mut instance = start(&town, &users).await;
    for (point, is_there) in [("post.before_commit", false), ("post.after_commit", true)] {
        for action in ["error", "kill"] {
            let before = (instance.titles().await.len(), instance.published().await);
            let fault = json!({ "action": action, "lease_ms": 60_000, "count": 1 });
            instance.arm(point, &fault).await;
            let title = format!("{point} {action}");
            let status = instance.write(&title).await;
            if action == "kill" {
                assert_eq!(status, None, "{point}");
                eventually("the process is dead", || {
                    let is_running = instance.process.is_running();
                    async move { (!is_running).then_some(()) }
                })
                .await;
                instance = start(&town, &users).await;
            } else {
                assert!(status >= Some(500), "{point}: {status:?}");
            }
            let more = usize::from(is_there);
            assert_eq!(
                instance.titles().await.contains(&title),
                is_there,
                "{title}"
            );
            let after = (instance.titles().await.len(), instance.published().await);
            assert_eq!(after, (before.0 + more, before.1 + more as u64), "{title}");
        }
    }
}

#[tokio::test]
async fn names_that_cannot_be_asked_for_are_left_out() {
    let town = Town::new();
    let users = Users::start(&town).await;
    users.know(MINA, "김민아");
    let instance = start(&town, &users).await;
    for point in ["names.before_send", "names.after_send"] {
        let fault = json!({ "action": "error", "lease_ms": 60_000, "count": 1 });
        instance.arm(point, &fault).await;
        assert_eq!(instance.write(point).await, Some(201), "{point}");
    }
    assert_eq!(
        instance.titles().await,
        ["names.after_send", "names.before_send"]
    );
}

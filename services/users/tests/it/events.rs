//! What others are told of members.

use reqwest::Method;
use serde_json::{Value, json};
use testing::{Process, Town, assert_problem, eventually};
use users::Users;

use crate::client::{PASSWORD, call, sign_up};

async fn told(town: &Town, url: &str, many: usize) -> Vec<Value> {
    town.published_at_least(many, url, "users", "notifications")
        .await
}

#[tokio::test]
async fn each_member_is_told_of_once() {
    let town = Town::new();
    let admin = json!({ "first_admin_password": PASSWORD });
    let service = town.start::<Users>(admin).await;
    let mina = sign_up(&service, "mina@example.com").await;
    assert_eq!(sign_up(&service, "mina@example.com").await.status, 409);
    let jun = sign_up(&service, "jun@example.com").await;
    let told = told(&town, &service.url, 3).await;
    let emails: Vec<_> = told.iter().map(|event| &event["data"]["email"]).collect();
    let admin = "admin@citywatch.example";
    assert_eq!(emails, [admin, "mina@example.com", "jun@example.com"]);
    for (event, member) in told[1..].iter().zip([mina, jun]) {
        assert_eq!(event["type"], "citywatch.users.UserRegistered.v1");
        assert_eq!(event["source"], "/citywatch/users");
        assert_eq!(event["subject"], member.text("id"));
        let body = json!({
            "user_id": member.text("id"), "name": "Mina Kim", "email": member.text("email"),
        });
        assert_eq!(event["data"], body);
    }
}

#[tokio::test]
async fn the_event_goes_on_in_the_trace_of_the_sign_up() {
    let service = crate::client::start().await;
    let body = json!({ "email": "mina@example.com", "password": PASSWORD, "name": "Mina" });
    let request = service.http.post(format!("{}/api/users", service.url));
    let signed_up = service.traced(request.json(&body)).await;
    let mut spans = signed_up.tree.spans().iter();
    let published = spans.find(|span| span.name == "publish users").unwrap();
    let told = told(service.town(), &service.url, 1).await;
    let context = told[0]["traceparent"].as_str().unwrap();
    let (trace, span) = (published.trace_id, published.span_id);
    assert!(context.contains(&format!("{trace}-{span}")), "{context}");
    assert_eq!(told[0]["tracestate"], "vendor=caller");
}

/// Members' addresses are for those who write to them.
#[tokio::test]
async fn the_feed_is_for_notifications_alone() {
    let service = crate::client::start().await;
    let town = service.town();
    let url = format!("{}/inner/v1/feed", service.url);
    let read = |token: String| service.http.get(&url).bearer_auth(token).send();
    let board = read(town.service_token("board", "users")).await.unwrap();
    assert_problem(board, 403, "forbidden").await;
    let other = read(town.service_token("notifications", "orders")).await;
    assert_eq!(other.unwrap().status(), 401);
    let member = read(town.member_token("mina", &["admin"])).await.unwrap();
    assert_eq!(member.status(), 401);
    let nobody = call(&service, Method::GET, "/inner/v1/feed", Value::Null).await;
    assert_eq!(nobody.status, 401);
}

/// Wherever it dies: there is a member and others are told, or neither.
#[tokio::test]
async fn killed_at_the_commit_a_member_is_told_of_or_is_none() {
    for (point, expected) in [("sign_up.before_commit", 0), ("sign_up.after_commit", 1)] {
        let town = Town::new();
        let program = env!("CARGO_BIN_EXE_citywatch-users");
        let settings = json!({ "faults_enabled": true });
        let start = || Process::start(town.command::<Users>(program, &settings));
        let mut process = start().await;
        let fault = json!({ "action": "kill", "lease_ms": 60_000, "count": 1 });
        let arm = process
            .http
            .put(format!("{}/faults/{point}", process.admin_url));
        let arm = arm.bearer_auth(town.operator_token()).json(&fault);
        assert_eq!(arm.send().await.unwrap().status(), 200, "{point}");
        let mina = json!({ "email": "mina@example.com", "password": PASSWORD, "name": "Mina" });
        let sign_up = process.http.post(format!("{}/api/users", process.url));
        assert!(sign_up.json(&mina).send().await.is_err(), "{point}");
        eventually("the process is dead", || {
            let is_running = process.is_running();
            async move { (!is_running).then_some(()) }
        })
        .await;

        let process = start().await;
        let again = process.http.post(format!("{}/api/users", process.url));
        let status = again.json(&mina).send().await.unwrap().status();
        assert_eq!(status == 409, expected == 1, "{point}: {status}");
        let told = told(&town, &process.url, 1).await;
        assert_eq!(told.len(), 1, "{point}: {told:?}");
    }
}

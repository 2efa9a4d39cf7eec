//! Documents of the registry, at work.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use testing::{Running, Town, eventually, free_port};

use crate::{example::Example, registry::Registry};

/// Where no registry is.
const AWAY: &str = "http://127.0.0.1:1";

async fn started(town: &Town, registry: &Registry) -> Running {
    let settings = json!({"registry_url": registry.url});
    town.start::<Example>(settings).await
}

async fn get(running: &Running, path: &str) -> String {
    let request = running.http.get(format!("{}{path}", running.url));
    request.send().await.unwrap().text().await.unwrap()
}

/// Ids of the catalogs that it knows.
async fn catalogs(running: &Running) -> Vec<String> {
    let list: Vec<Value> = serde_json::from_str(&get(running, "/catalogs").await).unwrap();
    let ids = list.iter().map(|one| one["instance_id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

async fn says(running: &Running, greeting: &str) {
    eventually(&format!("it says {greeting}"), || async {
        (get(running, "/greeting").await == greeting).then_some(())
    })
    .await;
}

async fn count(running: &Running, outcome: &str) -> u64 {
    let start = format!("citywatch_settings_documents_total{{outcome=\"{outcome}\"}} ");
    let metrics = running.metrics().await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
    line.expect("a count").parse().unwrap()
}

async fn counted(running: &Running, outcome: &str, expected: u64) {
    eventually(&format!("{expected} {outcome}"), || async {
        (count(running, outcome).await == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn live_keys_change_while_it_runs_and_its_own_win_over_the_citys() {
    let (town, registry) = (Town::new(), Registry::start().await);
    registry.write("city", &json!({"greeting": "good day"}));
    let running = started(&town, &registry).await;
    // What is in force is in force from the first request on.
    assert_eq!(get(&running, "/greeting").await, "good day");
    registry.write("example", &json!({"greeting": "hi"}));
    says(&running, "hi").await;
    registry.write("city", &json!({"greeting": "good night", "times": 2}));
    says(&running, "hihi").await;
    registry.write("example", &json!({}));
    says(&running, "good nightgood night").await;

    // Of requests, not of housekeeping.
    let spans = running.spans().await;
    let foreign = spans.iter().find(|span| !span.name.contains("/greeting"));
    assert_eq!(foreign, None);
    running.stop().await;
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_once_and_the_last_good_one_stays() {
    let (town, registry) = (Town::new(), Registry::start().await);
    registry.write("example", &json!({"greeting": "hi"}));
    let running = started(&town, &registry).await;
    says(&running, "hi").await;
    let bad = [
        json!({"greeting": "never", "times": "often"}),
        json!({"greeting": ""}),
        json!({"greeting": "never", "log": "app=loudly"}),
        json!({"greeting": "never", "request_timeout_ms": 0}),
        json!(["greeting", "never"]),
    ];
    for (already, document) in (0..).zip(&bad) {
        registry.write("example", document);
        counted(&running, "refused", already + 1).await;
        assert_eq!(get(&running, "/greeting").await, "hi", "{document}");
    }
    // Another document's change is no news of the refused one, and takes effect beside it.
    registry.write("city", &json!({"times": 2}));
    says(&running, "hihi").await;
    assert_eq!(count(&running, "refused").await, bad.len() as u64);
    registry.write("jwks.members", &json!({"keys": "none"}));
    counted(&running, "refused", bad.len() as u64 + 1).await;
    registry.write("example", &json!({"greeting": "ho"}));
    says(&running, "hoho").await;
}

#[tokio::test]
async fn a_document_that_fits_only_beside_another_waits_for_it() {
    let (town, registry) = (Town::new(), Registry::start().await);
    registry.write("city", &json!({"greeting": ""}));
    let running = started(&town, &registry).await;
    assert_eq!(get(&running, "/greeting").await, "hello");
    assert_eq!(count(&running, "refused").await, 1);
    registry.write("example", &json!({"times": 0}));
    says(&running, "").await;
    registry.write("city", &json!({"greeting": "ha"}));
    registry.write("example", &json!({"times": 3}));
    says(&running, "hahaha").await;
}

#[tokio::test]
async fn keys_that_mean_nothing_here_are_ignored_and_counted_once_a_version() {
    let (town, registry) = (Town::new(), Registry::start().await);
    let running = started(&town, &registry).await;
    // Of another version, of a start, and secret.
    let document = json!({"wings": 2, "check": "failing", "operator_token": "x", "times": 2});
    registry.write("example", &document);
    says(&running, "hellohello").await;
    assert_eq!(count(&running, "ignored_keys").await, 3);
    let applied = count(&running, "applied").await;
    registry.write("city", &json!({"greeting": "hi"}));
    counted(&running, "applied", applied + 1).await;
    assert_eq!(count(&running, "ignored_keys").await, 3);
    let ready = running.http.get(format!("{}/readyz", running.admin_url));
    assert_eq!(ready.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn it_is_ready_once_it_was_told_where_the_others_are() {
    let (town, registry) = (Town::new(), Registry::start().await);
    registry.conceal("catalog");
    // Asked before it says where it is: on a port that was free just now.
    let admin = format!("127.0.0.1:{}", free_port());
    let settings = json!({"registry_url": registry.url, "admin_listen": admin});
    let readyz = async || {
        let answer = reqwest::get(format!("http://{admin}/readyz"))
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let starting = town.begin::<Example>(&settings);
    let telling = async {
        registry.watched("catalog").await;
        // Time in which it would be ready, did it not wait.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (status, said) = readyz().await;
        assert!(
            status == 503 && said.contains("starting"),
            "{status} {said}"
        );
        registry.place("catalog", &["one"]);
    };
    let (running, ()) = tokio::join!(starting.ready(), telling);
    let running = running.unwrap();
    assert_eq!(catalogs(&running).await, ["one"]);
    assert_eq!(readyz().await.0, 200);
    running.stop().await;

    // A registry that says nothing keeps nobody from serving.
    registry.conceal("catalog");
    let running = started(&town, &registry).await;
    assert_eq!(get(&running, "/greeting").await, "hello");
}

#[tokio::test]
async fn what_is_known_outlives_a_restart_without_registry() {
    let (town, registry) = (Town::new(), Registry::start().await);
    registry.write("city", &json!({"times": 2}));
    registry.write("example", &json!({"greeting": "hi"}));
    registry.place("catalog", &["one", "two"]);
    let running = started(&town, &registry).await;
    assert_eq!(catalogs(&running).await, ["one", "two"]);
    registry.write("example", &json!({"greeting": ""}));
    counted(&running, "refused", 1).await;
    eventually("everything is kept", || async {
        let kept: Value = serde_json::from_slice(&std::fs::read(cache(&town)).ok()?).ok()?;
        (kept["instances"]["catalog"].as_array()?.len() == 2).then_some(())
    })
    .await;
    running.stop().await;

    let running = town.start::<Example>(json!({"registry_url": AWAY})).await;
    assert_eq!(get(&running, "/greeting").await, "hihi");
    assert_eq!(count(&running, "refused").await, 0);
    assert_eq!(catalogs(&running).await, ["one", "two"]);
    // With the keys that this test's town kept for it.
    let member = running.http.get(format!("{}/member", running.url));
    let member = member.bearer_auth(town.member_token("ada", &[]));
    assert_eq!(member.send().await.unwrap().status(), 200);
    running.stop().await;

    // And what the registry knows better is believed at once.
    registry.write("example", &json!({"greeting": "ho"}));
    let running = started(&town, &registry).await;
    assert_eq!(get(&running, "/greeting").await, "hoho");
}

#[tokio::test]
async fn tokens_of_unknown_keys_do_not_flood_the_registry() {
    let (town, other, registry) = (Town::new(), Town::new(), Registry::start().await);
    let keys = |town: &Town| json!({"keys": [town.member_key().public_jwk()]});
    registry.write("jwks.members", &keys(&town));
    let running = started(&town, &registry).await;
    let before = registry.asked("jwks.members");
    let member = async |town: &Town| {
        let request = running.http.get(format!("{}/member", running.url));
        let request = request.bearer_auth(town.member_token("ada", &[]));
        request.send().await.unwrap().status().as_u16()
    };
    for _ in 0..50 {
        assert_eq!(member(&other).await, 401);
    }
    eventually("it asks for the keys", || async {
        (registry.asked("jwks.members") > before).then_some(())
    })
    .await;
    assert_eq!(member(&other).await, 401);
    assert_eq!(registry.asked("jwks.members"), before + 1);
    // New keys are learned from the watch meanwhile, and old ones forgotten.
    registry.write("jwks.members", &keys(&other));
    eventually("the new key is known", || async {
        (member(&other).await == 200).then_some(())
    })
    .await;
    assert_eq!(member(&town).await, 401);
    assert_eq!(registry.asked("jwks.members"), before + 1);
}

fn cache(town: &Town) -> PathBuf {
    town.folder().join("cache/example.json")
}

use std::net::SocketAddr;
use std::time::Duration;

use discovery::{Discovery, Endpoints};
use tokio_util::sync::CancellationToken;

use crate::fake::{Fake, within};

/// The JSON of a service with these instances up.
fn told(state: &str, up: &[(&str, u16)]) -> String {
    let instances: Vec<_> = up
        .iter()
        .map(|(id, port)| {
            serde_json::json!({
                "instance_id": id, "address": SocketAddr::from(([127, 0, 0, 1], *port)),
                "admin_address": null, "version": "0.1.0", "pid": 1, "state": "up",
            })
        })
        .collect();
    serde_json::json!({
        "service": "catalog", "revision": 1, "state": state, "instances": instances,
    })
    .to_string()
}

fn ids(endpoints: &Endpoints) -> Vec<String> {
    endpoints
        .load()
        .iter()
        .map(|endpoint| endpoint.instance_id.clone())
        .collect()
}

#[tokio::test]
async fn the_last_known_list_outlives_the_registry_and_its_restart() {
    let mut fake = Fake::start().await;
    let discovery = Discovery::registry(fake.client());
    let mut endpoints = discovery.watch("catalog");
    assert!(endpoints.load().is_empty());

    let stream = fake.stream().await;
    assert_eq!(stream.path, "/v1/services/catalog/watch");
    stream.send("instances", &told("ready", &[("a", 1), ("b", 2)]));
    within(endpoints.changed()).await;
    assert_eq!(ids(&endpoints), ["a", "b"]);

    fake.kill().await;
    stream.closed().await;
    assert_eq!(ids(&endpoints), ["a", "b"]);

    fake.revive().await;
    let stream = fake.stream().await;
    stream.send("instances", &told("warming", &[]));
    stream.send("instances", &told("warming", &[("c", 3)]));
    within(endpoints.changed()).await;
    assert_eq!(ids(&endpoints), ["c", "a", "b"]);
    stream.send("instances", &told("ready", &[("c", 3)]));
    within(endpoints.changed()).await;
    assert_eq!(ids(&endpoints), ["c"]);
}

#[tokio::test]
async fn lists_are_synced_once_the_registry_has_told_of_each() {
    let mut fake = Fake::start().await;
    let discovery = Discovery::registry(fake.client());
    within(discovery.synced()).await;
    let catalog = discovery.watch("catalog");
    let first = fake.stream().await;
    let users = discovery.watch("users");
    let second = fake.stream().await;
    let asked = discovery.clone();
    let mut synced = tokio::spawn(async move { asked.synced().await });
    first.send("instances", &told("ready", &[("a", 1)]));
    let early = tokio::time::timeout(Duration::from_millis(100), &mut synced).await;
    assert!(early.is_err(), "of users it has told nothing");
    // That nobody is there is a word too.
    second.send("instances", &told("ready", &[]));
    within(synced).await.unwrap();
    assert_eq!((ids(&catalog), ids(&users)), (vec!["a".to_owned()], vec![]));
}

#[tokio::test]
async fn a_restart_without_registry_starts_from_the_lists_that_were_kept() {
    let mut fake = Fake::start().await;
    let before = Discovery::registry(fake.client());
    let mut changes = before.changes();
    assert!(before.snapshot().is_empty());
    let catalog = before.watch("catalog");
    let stream = fake.stream().await;
    stream.send("instances", &told("ready", &[("a", 1)]));
    within(changes.changed()).await.unwrap();
    assert_eq!(before.snapshot()["catalog"], **catalog.load());

    fake.kill().await;
    let mut kept = before.snapshot();
    drop((before, catalog));
    stream.closed().await;
    let after = Discovery::registry(fake.client());
    kept.insert("users".to_owned(), kept["catalog"].clone());
    after.restore(kept);
    let mut catalog = after.watch("catalog");
    assert_eq!(ids(&catalog), ["a"]);
    // Nobody has asked for the users yet: what was known of them is still worth keeping.
    assert_eq!(after.snapshot().len(), 2);

    // A registry that has forgotten takes nothing away; one that knows better is believed.
    fake.revive().await;
    let stream = fake.stream().await;
    stream.send("instances", &told("ready", &[]));
    stream.send("instances", &told("ready", &[("b", 2)]));
    within(catalog.changed()).await;
    assert_eq!(ids(&catalog), ["b"]);
    stream.send("instances", &told("ready", &[]));
    within(catalog.changed()).await;
    assert!(!after.snapshot().contains_key("catalog"));
}

#[tokio::test]
async fn what_is_not_understood_ends_the_stream_and_is_not_believed() {
    let mut fake = Fake::start().await;
    let discovery = Discovery::registry(fake.client());
    let mut endpoints = discovery.watch("catalog");
    for nonsense in ["not json", "[]", "{}", r#"{"state":"odd","instances":[]}"#] {
        let stream = fake.stream().await;
        stream.send("instances", nonsense);
        stream.closed().await;
    }
    let stream = fake.stream().await;
    stream.send("another kind", "not json");
    stream.send("instances", &told("ready", &[("a", 1)]));
    within(endpoints.changed()).await;
    assert_eq!(ids(&endpoints), ["a"]);
}

#[tokio::test]
async fn one_name_is_one_watch_and_it_ends_with_its_last_reader() {
    let mut fake = Fake::start().await;
    let discovery = Discovery::registry(fake.client());
    let mut endpoints = discovery.watch("catalog");
    let mut again = discovery.watch("catalog");
    let stream = fake.stream().await;
    stream.send("instances", &told("ready", &[("a", 1)]));
    for endpoints in [&mut endpoints, &mut again] {
        assert_eq!(within(endpoints.available()).await.len(), 1);
    }

    drop(discovery);
    drop(again);
    stream.send("instances", &told("ready", &[("b", 1)]));
    within(endpoints.changed()).await;
    assert_eq!(ids(&endpoints), ["b"]);
    drop(endpoints);
    stream.closed().await;
}

#[tokio::test]
async fn a_client_that_stops_ends_its_watches() {
    let mut fake = Fake::start().await;
    let stopping = CancellationToken::new();
    let client = fake.client().until(stopping.clone());
    let discovery = Discovery::registry(client.clone());
    let _endpoints = discovery.watch("catalog");
    let _document = client.watch_document("city");
    let streams = [fake.stream().await, fake.stream().await];
    stopping.cancel();
    for stream in streams {
        stream.closed().await;
    }
}

#[tokio::test]
async fn a_name_that_no_service_can_have_is_not_asked_for() {
    let fake = Fake::start().await;
    let discovery = Discovery::registry(fake.client());
    assert!(discovery.watch("../documents/city").load().is_empty());
}

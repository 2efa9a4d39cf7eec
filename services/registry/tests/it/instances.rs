use registry::Registry;
use reqwest::{Method, StatusCode};
use serde_json::json;
use testing::{Town, eventually};

use crate::world::{
    Caller, Events, SHORT_TTL_MS, instance, is, json_of, refused, start, start_with, states,
};

const HEARTBEAT: &str = "/v1/instances/catalog/a";

#[tokio::test]
async fn an_instance_registers_renews_lapses_and_comes_back() {
    let registry = start_with(json!({ "lease_ttl_ms": SHORT_TTL_MS })).await;
    let lease = json_of(registry.register("a", 1001).await, StatusCode::CREATED).await;
    assert_eq!(lease["ttl_ms"], SHORT_TTL_MS);
    let service = registry.catalog().await;
    assert_eq!(service["service"], "catalog");
    assert_eq!(
        service["instances"],
        json!([{
            "instance_id": "a", "address": "127.0.0.1:1001", "admin_address": "127.0.0.1:1101",
            "version": "0.1.0", "pid": 7, "state": "up",
        }])
    );

    let beat = registry
        .service("catalog", Method::PUT, HEARTBEAT)
        .send()
        .await
        .unwrap();
    assert_eq!(json_of(beat, StatusCode::OK).await["ttl_ms"], SHORT_TTL_MS);

    eventually("the lease lapses", async || {
        is(&states(&registry.catalog().await), &[("a", "lapsed")]).then_some(())
    })
    .await;
    let beat = registry
        .service("catalog", Method::PUT, HEARTBEAT)
        .send()
        .await
        .unwrap();
    assert_eq!(beat.status(), StatusCode::OK);
    assert!(is(&states(&registry.catalog().await), &[("a", "up")]));
}

#[tokio::test]
async fn a_deregistered_instance_is_gone_at_once() {
    let registry = start().await;
    registry.register("a", 1001).await;
    for _ in 0..2 {
        let gone = registry
            .service("catalog", Method::DELETE, HEARTBEAT)
            .send()
            .await
            .unwrap();
        assert_eq!(gone.status(), StatusCode::NO_CONTENT);
        assert!(is(&states(&registry.catalog().await), &[]));
    }
    let beat = registry
        .service("catalog", Method::PUT, HEARTBEAT)
        .send()
        .await
        .unwrap();
    refused(beat, StatusCode::NOT_FOUND, "unknown_instance").await;
}

#[tokio::test]
async fn a_started_registry_warms_for_one_lease_time() {
    let registry = start_with(json!({ "lease_ttl_ms": SHORT_TTL_MS })).await;
    assert_eq!(registry.catalog().await["state"], "warming");
    let watch = registry.service("gateway", Method::GET, "/v1/services/catalog/watch");
    let mut events = Events::open(watch).await;
    let (_, _, warming) = events.next().await.unwrap();
    assert_eq!(warming["state"], "warming");
    let (_, _, mut ready) = events.next().await.unwrap();
    // A machine so busy that the registry slept makes it warm once more.
    while ready["state"] == "warming" {
        (_, _, ready) = events.next().await.unwrap();
    }
    assert_eq!(ready["state"], "ready");
    assert_eq!(registry.catalog().await["state"], "ready");
}

#[tokio::test]
async fn a_watch_tells_at_once_and_then_every_change_of_its_service() {
    let registry = start().await;
    let watch = registry.service("gateway", Method::GET, "/v1/services/catalog/watch");
    let mut events = Events::open(watch).await;
    let (name, id, data) = events.next().await.unwrap();
    assert_eq!(name, "instances");
    assert_eq!(data["revision"].to_string(), id);
    assert!(is(&states(&data), &[]));

    registry.register("a", 1001).await;
    let (_, id, data) = events.next().await.unwrap();
    assert_eq!(data["revision"].to_string(), id);
    assert!(is(&states(&data), &[("a", "up")]));
    assert_eq!(data, registry.catalog().await);

    // Heartbeats and other services' changes are no news.
    registry
        .service("catalog", Method::PUT, HEARTBEAT)
        .send()
        .await
        .unwrap();
    let other = registry.service("users", Method::POST, "/v1/instances");
    other
        .json(&instance("users", "u", 1002))
        .send()
        .await
        .unwrap();
    registry
        .service("catalog", Method::DELETE, HEARTBEAT)
        .send()
        .await
        .unwrap();
    let (_, _, data) = events.next().await.unwrap();
    assert!(is(&states(&data), &[]));
}

#[tokio::test]
async fn services_are_listed_with_how_many_are_up() {
    let registry = start().await;
    registry.register("a", 1001).await;
    registry.register("b", 1002).await;
    let list = registry
        .operator(Method::GET, "/v1/services")
        .send()
        .await
        .unwrap();
    let list = json_of(list, StatusCode::OK).await;
    assert_eq!(
        list,
        json!({ "services": [{ "service": "catalog", "instances": 2 }] })
    );
}

#[tokio::test]
async fn what_cannot_be_an_instance_is_refused() {
    let registry = start_with(json!({ "max_instances_per_service": 2 })).await;
    let good = instance("catalog", "a", 1001);
    for (key, value, status, code) in [
        (
            "service",
            json!("../x"),
            StatusCode::BAD_REQUEST,
            "invalid_name",
        ),
        (
            "instance_id",
            json!("x".repeat(10_000)),
            StatusCode::BAD_REQUEST,
            "invalid_name",
        ),
        (
            "instance_id",
            json!(""),
            StatusCode::BAD_REQUEST,
            "invalid_name",
        ),
        (
            "address",
            json!("localhost"),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_fields",
        ),
        (
            "address",
            json!("0.0.0.0:80"),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_instance",
        ),
        (
            "address",
            json!("127.0.0.1:0"),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_instance",
        ),
        (
            "version",
            json!("a\nb"),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_instance",
        ),
        (
            "pid",
            json!(-1),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_fields",
        ),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        let request = registry
            .service("catalog", Method::POST, "/v1/instances")
            .json(&bad);
        refused(request.send().await.unwrap(), status, code).await;
    }
    registry.register("a", 1001).await;
    registry.register("b", 1002).await;
    let one_more = registry.register("c", 1003).await;
    refused(one_more, StatusCode::CONFLICT, "too_many_instances").await;
    let odd = registry
        .service("gateway", Method::GET, "/v1/services/A/watch")
        .send()
        .await;
    refused(odd.unwrap(), StatusCode::BAD_REQUEST, "invalid_name").await;
}

#[tokio::test]
async fn watches_are_bounded_and_a_closed_one_makes_room() {
    let registry = start_with(json!({ "max_watches": 1 })).await;
    let watch = || registry.service("gateway", Method::GET, "/v1/services/catalog/watch");
    let first = Events::open(watch()).await;
    let second = watch().send().await.unwrap();
    assert!(second.headers().contains_key("retry-after"));
    refused(second, StatusCode::SERVICE_UNAVAILABLE, "too_many_watches").await;
    drop(first);
    eventually("there is room again", async || {
        watch()
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn prometheus_is_told_where_to_scrape_also_those_that_lapsed() {
    let registry = start_with(json!({ "lease_ttl_ms": SHORT_TTL_MS })).await;
    registry.register("a", 1001).await;
    registry.register("gone", 1002).await;
    let gone = registry.service("catalog", Method::DELETE, "/v1/instances/catalog/gone");
    gone.send().await.unwrap();
    let targets = async || {
        let answer = registry
            .anyone(Method::GET, "/prometheus/targets")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json");
        json_of(answer, StatusCode::OK).await
    };
    let of_state = |state: &str| {
        json!([{
            "targets": ["127.0.0.1:1101"],
            "labels": { "service": "catalog", "instance_id": "a", "state": state },
        }])
    };
    assert_eq!(targets().await, of_state("up"));
    eventually("the lapsed one is still a target", async || {
        (targets().await == of_state("lapsed")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_lapsed_instance_is_forgotten_after_a_time() {
    let registry =
        start_with(json!({ "lease_ttl_ms": SHORT_TTL_MS, "lapsed_retention_ms": 300 })).await;
    registry.register("a", 1001).await;
    eventually("it is forgotten", async || {
        is(&states(&registry.catalog().await), &[]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_ends_the_streams_and_waits_for_none() {
    let town = Town::new();
    let registry = town
        .start::<Registry>(json!({ "drain_timeout_ms": 60_000 }))
        .await;
    let watch = registry.service("gateway", Method::GET, "/v1/services/catalog/watch");
    let mut events = Events::open(watch).await;
    events.next().await.unwrap();
    // Fails by itself if it takes ten seconds, a sixth of what draining may take.
    registry.stop().await;
    while events.next().await.is_some() {}
}

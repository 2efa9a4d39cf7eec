//! Changed settings take effect while the gateway runs, as a whole or not at all.

use std::time::{Duration, Instant};

use axum::Router;
use serde_json::json;
use testing::eventually;

use crate::behind::Behind;
use crate::town::{SERVICE, routes, street};

#[tokio::test]
async fn a_changed_table_takes_effect_within_a_second_on_open_connections_too() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({"workers": 2}), &[behind.address]).await;
    let mut client = street.client().await;
    let new = "GET /new HTTP/1.1\r\nhost: t\r\n\r\n";
    assert_eq!(client.say(new).await.status, 404);
    let mut table = routes();
    table
        .as_array_mut()
        .unwrap()
        .push(json!({"path": "/new", "methods": ["GET"], "service": SERVICE, "access": "public"}));
    let changed = Instant::now();
    street.registry.write("gateway", &json!({"routes": table}));
    while client.say(new).await.status != 200 {
        assert!(
            changed.elapsed() < Duration::from_secs(1),
            "not within a second"
        );
    }
}

#[tokio::test]
async fn a_changed_limit_takes_effect() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({}), &[behind.address]).await;
    let mut client = street.client().await;
    let request = "GET /open HTTP/1.1\r\nhost: t\r\n\r\n";
    assert_eq!(client.say(request).await.status, 200);
    let rate = json!({"requests": 1, "seconds": 600, "burst": 2});
    street
        .registry
        .write("gateway", &json!({"rates": {"default": {"address": rate}}}));
    let changed = Instant::now();
    while client.say(request).await.status != 429 {
        assert!(
            changed.elapsed() < Duration::from_secs(1),
            "not within a second"
        );
    }
    street.registry.write("gateway", &json!({}));
    eventually("the limit is gone", || async {
        let status = street.client().await.say(request).await.status;
        (status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_table_that_cannot_be_used_is_refused_counted_and_changes_nothing() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({}), &[behind.address]).await;
    let refused = "citywatch_settings_documents_total{outcome=\"refused\"}";
    let mut count = street.metric(refused).await;
    let open = "GET /open HTTP/1.1\r\nhost: t\r\n\r\n";
    for bad in [
        json!({"routes": [{"path": "open", "methods": ["GET"], "service": "x", "access": "public"}]}),
        json!({"routes": [{"path": "/open", "methods": ["GET"], "service": "x", "access": "anyone"}]}),
        json!({"routes": "none"}),
        json!({"rates": {}, "header_timeout_ms": 0}),
    ] {
        street.registry.write("gateway", &bad);
        count = eventually("the document is refused", || async {
            let now = street.metric(refused).await;
            (now > count).then_some(now)
        })
        .await;
        assert_eq!(street.client().await.say(open).await.status, 200, "{bad}");
    }
    // the next good one is taken
    street.registry.write("gateway", &json!({"routes": []}));
    eventually("the good table is in force", || async {
        (street.client().await.say(open).await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn instances_come_and_go() {
    let name = |name: &'static str| Behind::router(Router::new().fallback(async move || name));
    let (one, two) = (name("one"), name("two"));
    let street = street(json!({}), &[one.address]).await;
    let open = "GET /open HTTP/1.1\r\nhost: t\r\n\r\n";
    let mut client = street.client().await;
    assert_eq!(client.say(open).await.body, b"one");
    street.registry.place(SERVICE, &[two.address]);
    eventually("the other instance answers", || async {
        (street.client().await.say(open).await.body == b"two").then_some(())
    })
    .await;
    assert_eq!(client.say(open).await.body, b"two");
}

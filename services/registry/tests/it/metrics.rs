use reqwest::Method;
use serde_json::json;
use testing::eventually;

use crate::world::{Caller, Events, SHORT_TTL_MS, start_with};

fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(series))?;
    line.trim().parse().ok()
}

#[tokio::test]
async fn instances_are_counted_by_service_and_state() {
    let registry = start_with(json!({ "lease_ttl_ms": SHORT_TTL_MS })).await;
    registry.register("a", 1001).await;
    registry.register("b", 1002).await;
    let up = r#"citywatch_registry_instances{service="catalog",state="up"}"#;
    let lapsed = r#"citywatch_registry_instances{service="catalog",state="lapsed"}"#;
    let page = registry.metrics().await;
    assert_eq!(value(&page, up), Some(2.0), "{page}");
    assert_eq!(value(&page, lapsed), Some(0.0), "{page}");
    eventually("both have lapsed", async || {
        let page = registry.metrics().await;
        (value(&page, lapsed) == Some(2.0) && value(&page, up) == Some(0.0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn open_watches_are_counted() {
    let registry = start_with(json!({})).await;
    let watch = registry.service("gateway", Method::GET, "/v1/services/catalog/watch");
    let events = Events::open(watch).await;
    assert_eq!(
        value(&registry.metrics().await, "citywatch_registry_watches"),
        Some(1.0)
    );
    drop(events);
    eventually("the watch is closed", async || {
        let page = registry.metrics().await;
        (value(&page, "citywatch_registry_watches") == Some(0.0)).then_some(())
    })
    .await;
}

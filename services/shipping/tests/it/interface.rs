use serde_json::json;
use shipping::Shipping;
use testing::eventually;

use crate::depot::{confirm, metric, open, shipment};

#[test]
fn the_interface_is_the_one_checked_in() {
    testing::openapi::assert_current::<Shipping>(env!("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn metrics_are_born_at_zero_and_count() {
    // However slow the machine, no lease of its own lapses.
    let depot = open(json!({ "lease_ms": 60_000 })).await;
    let page = depot.service.metrics().await;
    for name in [
        "prepared_total",
        "moves_total{move=\"dispatch\"}",
        "moves_total{move=\"deliver\"}",
        "move_delay_seconds_count",
        "under_way",
        "oldest_under_way_seconds",
        "moves_adopted_total",
        "moves_lost_total",
    ] {
        assert_eq!(metric(&page, name), 0.0, "{name}");
    }
    for _ in 0..2 {
        let order = confirm(&depot.orders);
        shipment(&depot.service, order, "delivered").await;
    }
    let page = eventually("all is counted", async || {
        let page = depot.service.metrics().await;
        (metric(&page, "moves_total{move=\"deliver\"}") == 2.0).then_some(page)
    })
    .await;
    for (name, value) in [
        ("prepared_total", 2.0),
        ("moves_total{move=\"dispatch\"}", 2.0),
        ("move_delay_seconds_count", 4.0),
        ("moves_adopted_total", 0.0),
        ("moves_lost_total", 0.0),
    ] {
        assert_eq!(metric(&page, name), value, "{name}");
    }
}

#[tokio::test]
async fn what_is_under_way_shows_until_it_has_arrived() {
    let depot = open(json!({ "deliver_after_ms": 1_000 })).await;
    let order = confirm(&depot.orders);
    shipment(&depot.service, order, "dispatched").await;
    eventually("it is under way", async || {
        let page = depot.service.metrics().await;
        let oldest = metric(&page, "oldest_under_way_seconds");
        (metric(&page, "under_way") == 1.0 && oldest > 0.0).then_some(())
    })
    .await;
    shipment(&depot.service, order, "delivered").await;
    eventually("nothing is under way", async || {
        let page = depot.service.metrics().await;
        let oldest = metric(&page, "oldest_under_way_seconds");
        (metric(&page, "under_way") == 0.0 && oldest == 0.0).then_some(())
    })
    .await;
}

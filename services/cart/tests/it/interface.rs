use cart::Cart;
use reqwest::Method;
use serde_json::json;
use testing::Town;
use uuid::Uuid;

use crate::basket::{Shopper, inner, open};

#[test]
fn the_interface_is_the_one_checked_in() {
    testing::openapi::assert_current::<Cart>(env!("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn metrics_are_born_at_zero_and_count() {
    let service = open().await;
    let page = service.metrics().await;
    for name in [
        "changes_total{change=\"put\"}",
        "changes_total{change=\"remove\"}",
        "changes_total{change=\"clear\"}",
        "changes_total{change=\"empty\"}",
        "conflicts_total",
        "expired_total",
        "unreadable_total",
    ] {
        let line = format!("\ncitywatch_cart_{name} 0\n");
        assert!(page.contains(&line), "{line} is not in {page}");
    }

    let mina = Shopper::of(&service);
    let [mug, lamp] = [Uuid::now_v7(), Uuid::now_v7()];
    for _ in 0..2 {
        mina.put(mug, 1).await;
    }
    mina.put(lamp, 1).await;
    mina.remove(mug).await;
    mina.remove(mug).await;
    mina.clear().await;
    mina.clear().await;
    mina.put(mug, 1).await;
    for _ in 0..2 {
        let request = inner(&service, "orders", Method::DELETE, mina.id);
        request.query(&[("version", 5)]).send().await.unwrap();
    }
    let page = service.metrics().await;
    for (change, count) in [("put", 3), ("remove", 1), ("clear", 1), ("empty", 1)] {
        let line = format!("\ncitywatch_cart_changes_total{{change=\"{change}\"}} {count}\n");
        assert!(page.contains(&line), "{line} is not in {page}");
    }
    let commits = "db_client_operation_duration_seconds_count{db_system_name=\"redb\",\
                   db_namespace=\"cart.redb\",db_operation_name=\"COMPARE_AND_SET\",\
                   db_collection_name=\"carts\",db_query_summary=\"COMPARE_AND_SET carts\"} 6\n";
    assert!(page.contains(commits), "{page}");
}

#[tokio::test]
async fn settings_that_would_lose_carts_are_refused() {
    let town = Town::new();
    let mut command = town.command::<Cart>(
        env!("CARGO_BIN_EXE_citywatch-cart"),
        &json!({ "cart_ttl_ms": 1_000 }),
    );
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("`cart_ttl_ms` must be at least 60000"),
        "{said}"
    );
}

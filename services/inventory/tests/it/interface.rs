use inventory::Inventory;
use serde_json::json;
use testing::{Town, eventually};

use crate::warehouse::{id, open, open_in};

#[test]
fn the_interface_is_the_one_checked_in() {
    testing::openapi::assert_current::<Inventory>(env!("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn metrics_are_born_at_zero_and_count() {
    let warehouse = open_in(&Town::new(), json!({ "initial_stock": 5 })).await;
    let page = warehouse.service.metrics().await;
    let outcomes = [
        "held",
        "repeated",
        "out_of_stock",
        "differs",
        "released",
        "busy",
        "error",
    ];
    let requests = |outcome: &str, n: u64| {
        format!("citywatch_inventory_reserve_requests_total{{outcome=\"{outcome}\"}} {n}")
    };
    let reservations = |state: &str, n: u64| {
        format!("citywatch_inventory_reservations_total{{state=\"{state}\"}} {n}")
    };
    let zeros = outcomes.map(|outcome| requests(outcome, 0));
    let states = ["held", "confirmed", "released", "expired"];
    let zeros = zeros.into_iter().chain(states.map(|s| reservations(s, 0)));
    let zeros = zeros.chain(
        ["held_reservations", "held_units", "failed_sweeps_total"]
            .map(|name| format!("citywatch_inventory_{name} 0")),
    );
    for line in zeros {
        assert!(page.contains(&line), "{line} is not in {page}");
    }

    let product = id();
    let orders = [id(), id(), id()];
    for (order, quantity) in [
        (&orders[0], 2),
        (&orders[1], 1),
        (&orders[1], 1),
        (&orders[1], 2),
        (&orders[2], 3),
    ] {
        warehouse.reserve(order, &[(&product, quantity)]).await;
    }
    eventually("what is held is shown", async || {
        let page = warehouse.service.metrics().await;
        let lines = ["held_units 3\n", "held_reservations 2\n"];
        lines.iter().all(|line| page.contains(line)).then_some(())
    })
    .await;
    warehouse.confirm(&orders[0]).await;
    warehouse.confirm(&orders[0]).await;
    warehouse.release(&orders[1]).await;
    warehouse.release(&orders[1]).await;
    warehouse.reserve(&orders[1], &[(&product, 1)]).await;
    let page = warehouse.service.metrics().await;
    for line in [
        requests("held", 2),
        requests("repeated", 1),
        requests("differs", 1),
        requests("out_of_stock", 1),
        requests("released", 1),
        requests("error", 0),
        reservations("held", 2),
        reservations("confirmed", 1),
        reservations("released", 1),
        reservations("expired", 0),
    ] {
        assert!(page.contains(&line), "{line} is not in {page}");
    }
    eventually("nothing is held", async || {
        let page = warehouse.service.metrics().await;
        page.contains("held_units 0\n").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_expires_is_counted() {
    let warehouse = open_in(&Town::new(), json!({ "reservation_ttl_ms": 20 })).await;
    warehouse.reserve(&id(), &[(&id(), 2)]).await;
    eventually("it expires", async || {
        let page = warehouse.service.metrics().await;
        page.contains("reservations_total{state=\"expired\"} 1\n")
            .then_some(())
    })
    .await;
    let page = warehouse.service.metrics().await;
    assert!(!page.contains("inventory_sweeps_total 0\n"), "{page}");
}

/// Nobody asked for a sweep, so it is in nobody's trace; a trace begins with what others are told.
#[tokio::test]
async fn background_work_makes_no_traces() {
    let warehouse = open_in(&Town::new(), json!({ "reservation_ttl_ms": 20 })).await;
    warehouse.reserve(&id(), &[(&id(), 2)]).await;
    eventually("it expires", async || {
        let page = warehouse.service.metrics().await;
        page.contains("state=\"expired\"} 1\n").then_some(())
    })
    .await;
    let spans = warehouse.service.spans().await;
    let roots = spans.iter().filter(|span| span.parent_span_id.is_none());
    let roots: Vec<_> = roots.map(|span| &*span.name).collect();
    let reserve = "PUT /inner/v1/reservations/{order_id}";
    assert_eq!(roots, [reserve, "publish inventory"], "{spans:?}");
}

#[tokio::test]
async fn it_is_ready_when_its_store_answers() {
    let warehouse = open().await;
    let url = format!("{}/readyz", warehouse.service.admin_url);
    let ready = warehouse.service.http.get(url).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    assert!(ready.text().await.unwrap().contains("store"));
}

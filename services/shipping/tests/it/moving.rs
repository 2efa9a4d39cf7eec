use serde_json::{Value, json};
use testing::eventually;
use uuid::Uuid;

use crate::depot::{MINA, TOLD, confirm, confirmed, open, published, shipment, told};

const LONG: u64 = 3_600_000;

#[tokio::test]
async fn a_confirmed_order_is_packed_dispatched_and_delivered() {
    for (settings, state, events) in [
        (json!({ "dispatch_after_ms": LONG }), "preparing", 0),
        (json!({ "deliver_after_ms": LONG }), "dispatched", 1),
        (json!({}), "delivered", 2),
    ] {
        let depot = open(settings).await;
        let order = confirm(&depot.orders);
        let shipment = shipment(&depot.service, order, state).await;
        assert_eq!(shipment["order_id"], order.to_string());
        assert_eq!(shipment.get("member_id"), None);
        let times = ["created_at", "dispatched_at", "delivered_at"];
        let times: Vec<_> = times.iter().map(|time| &shipment[time]).collect();
        let known: Vec<_> = times.iter().filter_map(|time| time.as_str()).collect();
        assert_eq!(known.len(), events + 1, "{shipment}");
        assert!(known.is_sorted(), "{shipment}");

        let told = eventually("the city is told", async || {
            let told = published(depot.service.town(), &depot.service.url).await;
            (told.len() >= events).then_some(told)
        })
        .await;
        assert_eq!(told.len(), events);
        for (at, event) in told.iter().enumerate() {
            assert_eq!(event["type"], TOLD[at]);
            assert_eq!(event["subject"], order.to_string());
            let body = json!({ "shipment_id": shipment["shipment_id"], "order_id": order,
                "member_id": MINA, "at": times[at + 1] });
            assert_eq!(event["data"], body);
        }
    }
}

#[tokio::test]
async fn an_order_that_is_confirmed_again_and_again_has_one_shipment() {
    let depot = open(json!({})).await;
    let order = Uuid::now_v7();
    let (kind, subject) = ("orders.OrderConfirmed.v1", order.to_string());
    let say = || depot.orders.publish(kind, &subject, &confirmed(order));
    // Before the shipment moves, and after.
    say();
    say();
    let arrived = shipment(&depot.service, order, "delivered").await;
    say();
    // What comes behind it all has been seen: so has what came before.
    let last = confirm(&depot.orders);
    shipment(&depot.service, last, "delivered").await;

    assert_eq!(told(&depot.service, order).await, TOLD);
    assert_eq!(shipment(&depot.service, order, "delivered").await, arrived);
    let list = depot.list("").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list:#}");
    assert_eq!(depot.metric("prepared_total").await, 2.0);
}

#[tokio::test]
async fn other_words_of_orders_are_passed_over() {
    let depot = open(json!({})).await;
    let cancelled = Uuid::now_v7();
    let body = json!({ "order_id": cancelled, "member_id": MINA, "reason": "out_of_stock" });
    let subject = cancelled.to_string();
    let kind = "orders.OrderCancelled.v1";
    depot.orders.publish(kind, &subject, &body);
    let order = confirm(&depot.orders);
    shipment(&depot.service, order, "delivered").await;
    let list: Value = depot.list("").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list:#}");
    assert_eq!(list["items"][0]["order_id"], order.to_string());
}

#[tokio::test]
async fn nothing_moves_before_its_time() {
    let depot = open(json!({ "dispatch_after_ms": 250, "deliver_after_ms": 150 })).await;
    let order = confirm(&depot.orders);
    let shipment = shipment(&depot.service, order, "delivered").await;
    let time =
        |name: &str| -> app::Timestamp { serde_json::from_value(shipment[name].clone()).unwrap() };
    let [created, dispatched, delivered] =
        ["created_at", "dispatched_at", "delivered_at"].map(|name| time(name).micros());
    assert!(dispatched - created >= 250_000, "{shipment}");
    assert!(delivered - dispatched >= 150_000, "{shipment}");
}

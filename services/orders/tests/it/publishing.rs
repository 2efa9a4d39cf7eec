//! What the city is told of orders, and when.

use serde_json::json;
use telemetry::testing::Kind;

use crate::peers::Mood::Refuses;
use crate::shop::{MINA, open, published, told};

#[tokio::test]
async fn the_end_of_an_order_is_told_with_all_that_others_need() {
    let shop = open().await;
    let confirmed = shop.ordered("k1").await;
    let event = told(&shop.service, &confirmed).await;
    assert_eq!(event["type"], "citywatch.orders.OrderConfirmed.v1");
    let body = json!({ "order_id": confirmed["id"], "member_id": MINA,
        "items": confirmed["items"], "total": confirmed["total"] });
    assert_eq!(event["data"], body);

    shop.peers
        .next("charge", &[Refuses(402, "payment_declined")]);
    let cancelled = shop.ordered("k2").await;
    let event = told(&shop.service, &cancelled).await;
    assert_eq!(event["type"], "citywatch.orders.OrderCancelled.v1");
    let body = json!({ "order_id": cancelled["id"], "member_id": MINA,
        "reason": "payment_declined", "total": cancelled["total"] });
    assert_eq!(event["data"], body);
    assert_eq!(published(&shop.service).await.len(), 2);
}

#[tokio::test]
async fn the_context_of_the_order_travels_with_what_is_told() {
    let shop = open().await;
    let placed = shop.service.traced(shop.order("k")).await;
    let event = told(&shop.service, &placed.body).await;
    let publish = placed.tree.span("publish orders");
    assert_eq!(publish.kind, Kind::Producer);
    assert_eq!(publish.parent_span_id, Some(placed.tree.root().span_id));
    let sender = format!("00-{}-{}-", publish.trace_id, publish.span_id);
    let sent = event["traceparent"].as_str().unwrap();
    assert!(sent.starts_with(&sender), "{sent} {sender}");
    assert_eq!(event["tracestate"], "vendor=caller");
}

#[tokio::test]
async fn only_those_who_act_on_orders_read_of_them() {
    let shop = open().await;
    let url = format!("{}/inner/v1/feed", shop.service.url);
    for (caller, status) in [
        ("shipping", 200),
        ("notifications", 200),
        ("recommendations", 200),
        ("cart", 403),
    ] {
        let token = shop.service.town().service_token(caller, "orders");
        let answer = shop.service.http.get(&url).bearer_auth(token).send().await;
        assert_eq!(answer.unwrap().status(), status, "{caller}");
    }
}

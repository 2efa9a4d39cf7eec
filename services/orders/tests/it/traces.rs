use serde_json::{Value, json};
use telemetry::context::{SpanId, TraceId};
use testing::eventually;

use crate::peers::Mood::{HangsBefore, Refuses};
use crate::shop::{MINA, open, open_with};

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let shop = open().await;
    let service = &shop.service;
    let placed = service.traced(shop.order("k")).await;
    placed.assert(201, CONFIRMED);
    let token = service.town().member_token(MINA, &[]);
    let get = |path: &str| {
        let url = format!("{}{path}", service.url);
        service.http.get(url).bearer_auth(&token)
    };
    let path = format!("/api/orders/{}", placed.body["id"].as_str().unwrap());
    for (path, shape) in [
        (
            path.clone(),
            "orders GET /api/orders/{id}
               orders SELECT order_events",
        ),
        (
            format!("{path}/history"),
            "orders GET /api/orders/{id}/history
               orders SELECT order_events",
        ),
        (
            "/api/orders".to_owned(),
            "orders GET /api/orders
               orders SELECT order_events",
        ),
    ] {
        service.traced(get(&path)).await.assert(200, shape);
    }
    let replayed = service.traced(shop.order("k")).await;
    replayed.assert(
        201,
        "orders POST /api/orders
           orders SELECT idempotency_keys",
    );
}

const CONFIRMED: &str = "orders POST /api/orders
           orders SELECT idempotency_keys
           orders GET /inner/v1/carts/{member_id}
           orders GET /inner/v1/prices
           orders BEGIN
           orders INSERT orders
           orders INSERT idempotency_keys
           orders DELETE idempotency_keys
           orders INSERT order_events
           orders INSERT sagas
           orders COMMIT
           orders PUT /inner/v1/reservations/{order_id}
           orders BEGIN
           orders INSERT order_events
           orders UPDATE sagas
           orders COMMIT
           orders PUT /inner/v1/charges/{key}
           orders BEGIN
           orders INSERT order_events
           orders UPDATE sagas
           orders COMMIT
           orders POST /inner/v1/reservations/{order_id}/confirm
           orders BEGIN
           orders INSERT order_events
           orders UPDATE idempotency_keys
           orders DELETE sagas
           orders publish orders
           orders INSERT outbox
           orders COMMIT
           orders DELETE /inner/v1/carts/{member_id}
           orders SELECT idempotency_keys";

#[tokio::test]
async fn a_resumed_order_goes_on_in_its_own_trace() {
    let shop = open_with(json!({ "answer_within_ms": 100, "retry_max_ms": 10 })).await;
    shop.peers
        .always("charge", Some(Refuses(503, "payment_pending")));
    let placed = shop.order("k").header(
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    );
    let pending: Value = placed.send().await.unwrap().json().await.unwrap();
    assert_eq!(pending["status"], "pending");
    let trace = TraceId(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
    let resumed = async |least: usize| {
        eventually("the order is resumed", async || {
            let mut spans = shop.service.spans().await;
            spans.retain(|span| span.trace_id == trace);
            let count = spans.iter().filter(|s| s.name == "resume saga").count();
            (count >= least).then_some(spans)
        })
        .await
    };
    let spans = resumed(2).await;
    shop.peers.always("charge", None);
    let server = spans
        .iter()
        .find(|span| span.name == "POST /api/orders")
        .unwrap();
    assert_eq!(server.parent_span_id, Some(SpanId(0xb7ad_6b71_6920_3331)));
    let mut resumptions: Vec<_> = spans.iter().filter(|s| s.name == "resume saga").collect();
    resumptions.sort_by_key(|span| span.start_nanos);
    // Each hangs on the request, and names whom it goes on for.
    let mut before = server;
    for span in resumptions {
        assert_eq!(span.parent_span_id, Some(server.span_id));
        assert!(span.links_to(before), "{span:?}");
        assert_eq!(span.text("citywatch.order.id"), pending["id"].as_str());
        let charge = "PUT /inner/v1/charges/{key}";
        let below = |s: &&telemetry::testing::Span| s.parent_span_id == Some(span.span_id);
        assert!(spans.iter().filter(below).any(|s| s.name == charge));
        before = span;
    }
    let order = shop.ended(&pending).await;
    shop.peers.assert_settled(&order);
}

#[tokio::test]
async fn looking_for_what_is_due_is_nobodys_trace() {
    let shop = open_with(json!({ "lease_ms": 20, "answer_within_ms": 10 })).await;
    shop.peers.next("charge", &[HangsBefore]);
    shop.ordered("k").await;
    let spans = shop.service.spans().await;
    let roots = spans.iter().filter(|span| span.parent_span_id.is_none());
    assert!(
        roots.clone().all(|span| span.name.contains("/api/")),
        "{spans:?}"
    );
}

use serde_json::json;
use telemetry::context::TraceId;
use telemetry::testing::{Kind, Span, Tree};
use testing::eventually;
use uuid::Uuid;

use crate::depot::{MINA, confirm, confirmed, open, shipment};

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let depot = open(json!({})).await;
    let order = confirm(&depot.orders);
    shipment(&depot.service, order, "delivered").await;
    let service = &depot.service;
    let member = service.town().member_token(MINA, &[]);
    for (path, token, shape) in [
        (
            format!("/api/shipments/{order}"),
            &*member,
            "shipping GET /api/shipments/{order_id}
               shipping SELECT shipments",
        ),
        (
            "/inner/v1/shipments".to_owned(),
            service.town().operator_token(),
            "shipping GET /inner/v1/shipments
               shipping SELECT shipments",
        ),
    ] {
        let request = service.http.get(format!("{}{path}", service.url));
        let request = request.bearer_auth(token);
        service.traced(request).await.assert(200, shape);
    }
}

#[tokio::test]
async fn a_shipment_moves_in_the_trace_of_its_order() {
    let depot = open(json!({})).await;
    let (trace, order) = (TraceId::random(), Uuid::now_v7());
    let kind = "orders.OrderConfirmed.v1";
    let subject = order.to_string();
    let sent = depot
        .orders
        .publish_in(trace, kind, &subject, &confirmed(order));
    let spans = eventually("the shipment has arrived", async || {
        let mut spans = depot.service.spans().await;
        spans.retain(|span| span.trace_id == trace);
        let has_arrived = spans.iter().any(|span| span.name == "deliver shipment");
        has_arrived.then_some(spans)
    })
    .await;
    let tree = Tree::under(sent.sent_by.span_id, spans);
    tree.assert_shape(
        "shipping process orders
           shipping BEGIN
           shipping UPDATE event_cursors
           shipping INSERT shipments
           shipping INSERT moves
           shipping COMMIT
           shipping dispatch shipment
             shipping BEGIN
             shipping UPDATE shipments
             shipping publish shipping
             shipping INSERT outbox
             shipping UPDATE moves
             shipping COMMIT
           shipping deliver shipment
             shipping BEGIN
             shipping UPDATE shipments
             shipping publish shipping
             shipping INSERT outbox
             shipping DELETE moves
             shipping COMMIT",
    );
    tree.assert_no_error();
    let process = tree.span("process orders");
    assert_eq!(process.kind, Kind::Consumer);
    let sender = (sent.sent_by.trace_id, sent.sent_by.span_id);
    let linked = |span: &Span| span.links.iter().any(|l| (l.trace_id, l.span_id) == sender);
    assert!(linked(process), "{process:?}");
    let (dispatch, deliver) = (
        tree.span("dispatch shipment"),
        tree.span("deliver shipment"),
    );
    assert!(deliver.links_to(dispatch), "{deliver:?}");
    for moved in [dispatch, deliver] {
        assert_eq!(moved.text("citywatch.order.id"), Some(&*subject));
        let told = tree.children(moved.span_id);
        let told = told
            .iter()
            .find(|span| span.kind == Kind::Producer)
            .unwrap();
        assert_eq!(told.text("messaging.destination.name"), Some("shipping"));
    }
}

#[tokio::test]
async fn looking_for_what_is_due_is_nobodys_trace() {
    let depot = open(json!({ "lease_ms": 20 })).await;
    let (trace, order) = (TraceId::random(), Uuid::now_v7());
    let kind = "orders.OrderConfirmed.v1";
    let subject = order.to_string();
    depot
        .orders
        .publish_in(trace, kind, &subject, &confirmed(order));
    shipment(&depot.service, order, "delivered").await;
    let spans = depot.service.spans().await;
    let strangers = spans.iter().filter(|span| {
        // The test's own questions begin a trace each.
        span.trace_id != trace && span.parent_span_id.is_none() && span.kind != Kind::Server
    });
    let strangers: Vec<_> = strangers.collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

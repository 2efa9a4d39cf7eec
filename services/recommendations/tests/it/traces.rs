use telemetry::context::TraceId;
use telemetry::testing::{Kind, Tree};
use testing::eventually;

use crate::shelf::{Shelf, open, products};

impl Shelf {
    /// The spans that this service has added to a trace, once there are so many.
    async fn of_trace(&self, trace: TraceId, consumed: usize) -> Vec<telemetry::testing::Span> {
        eventually("its consumer's spans have ended", async || {
            let mut spans = self.service.spans().await;
            spans.retain(|span| span.trace_id == trace);
            let of_consumer = spans.iter().filter(|span| span.kind == Kind::Consumer);
            (of_consumer.count() == consumed).then_some(spans)
        })
        .await
    }
}

#[tokio::test]
async fn what_is_made_of_an_event_is_in_the_trace_of_its_cause() {
    let shelf = open().await;
    let [a, b] = products();
    let confirmed = shelf.order(&[a, b]);
    shelf.settled().await;
    let trace = confirmed.sent_by;
    let tree = Tree::under(trace.span_id, shelf.of_trace(trace.trace_id, 1).await);
    let process = tree.root();
    assert_eq!(process.name, "process orders");
    assert_eq!(
        process.text("messaging.consumer.group.name"),
        Some("recommendations")
    );
    let link = &process.links[0];
    assert_eq!(
        (link.trace_id, link.span_id),
        (trace.trace_id, trace.span_id)
    );
    for statement in ["SELECT products", "INSERT products"] {
        tree.assert_edge("process orders", statement);
    }
}

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let shelf = open().await;
    let [a] = products();
    let calls = [
        (
            shelf.ask(a),
            "recommendations GET /api/products/{id}/recommendations
               recommendations SELECT products
               recommendations SELECT products",
        ),
        (
            shelf.operator(reqwest::Method::GET, "counts"),
            "recommendations GET /inner/v1/counts
               recommendations SELECT products",
        ),
    ];
    for (request, shape) in calls {
        shelf.service.traced(request).await.assert(200, shape);
    }
}

use serde_json::json;
use telemetry::testing::Kind;

use super::desk::{follow, open};

#[tokio::test]
async fn an_event_carries_the_span_that_published_it() {
    let notes = open().await;
    let order = json!({ "subject": "a", "number": 1, "times": 2 });
    let request = notes.http.post(format!("{}/notes", notes.url));
    let traced = notes.traced(request.json(&order)).await;
    traced.assert(
        201,
        "orders POST /notes
           orders BEGIN
           orders INSERT notes
           orders publish orders
           orders INSERT outbox
           orders INSERT notes
           orders publish orders
           orders INSERT outbox
           orders COMMIT",
    );
    let all = follow(&notes, 2).await;
    let spans = traced.tree.spans();
    let published = spans.iter().filter(|span| span.kind == Kind::Producer);
    let published: Vec<_> = published.collect();
    assert_eq!(published.len(), 2);
    for (event, span) in all.iter().zip(published) {
        let context = format!("00-{}-{}-", span.trace_id, span.span_id);
        let traceparent = event.traceparent.as_deref().unwrap();
        assert!(
            traceparent.starts_with(&context),
            "{traceparent}: {context}"
        );
        assert_eq!(event.tracestate.as_deref(), Some("vendor=caller"));
        for (key, value) in [
            ("messaging.system", "citywatch"),
            ("messaging.operation.name", "publish"),
            ("messaging.destination.name", "orders"),
            ("messaging.message.id", &event.id),
            ("citywatch.event.type", "orders.NoteWritten.v1"),
        ] {
            assert_eq!(span.text(key), Some(value), "{key}");
        }
    }
}

//! How much a span holds, and how much is sent at once.

use super::{exported, one_span, texts, try_build};
use opentelemetry::trace::{Link, Span as _, SpanContext, TraceState, Tracer, TracerProvider};
use opentelemetry::{KeyValue, SpanId, TraceFlags, TraceId};
use std::time::Duration;
use telemetry::{DropReason, Telemetry};

#[tokio::test]
async fn a_span_holds_what_its_limits_allow() {
    let record = |telemetry: &Telemetry| {
        let tracer = telemetry.tracer_provider().tracer("shop");
        let pairs = || (0..3).map(|n| KeyValue::new(format!("k{n}"), "abcdef"));
        let linked = |id: u64| {
            let (trace, span) = (TraceId::from(1), SpanId::from(id));
            SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE)
        };
        let links = [1, 2, 3].map(|id| Link::new(linked(id), pairs().collect(), 0));
        let mut span = tracer
            .span_builder("work")
            .with_attributes(pairs())
            .with_links(links.into())
            .start(&tracer);
        for name in ["a", "b", "c"] {
            span.add_event(name, pairs().collect());
        }
        span.end();
    };
    /// Attributes, their dropped ones, the length of a value; events, links and their attributes.
    type Shape = ([usize; 3], [usize; 4]);
    let cases: [(&str, &str, Shape); 9] = [
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", "2", ([2, 1, 6], [3, 3, 3, 3])),
        (
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            "1",
            ([1, 2, 6], [3, 3, 3, 3]),
        ),
        (
            "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "4",
            ([3, 0, 4], [3, 3, 3, 3]),
        ),
        (
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            "2",
            ([3, 0, 2], [3, 3, 3, 3]),
        ),
        (
            "OTEL_SPAN_EVENT_COUNT_LIMIT",
            "1",
            ([3, 0, 6], [1, 3, 3, 3]),
        ),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "2", ([3, 0, 6], [3, 2, 3, 3])),
        (
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
            "1",
            ([3, 0, 6], [3, 3, 1, 3]),
        ),
        (
            "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
            "0",
            ([3, 0, 6], [3, 3, 3, 0]),
        ),
        (
            "OTEL_SPAN_EVENT_COUNT_LIMIT",
            "-1",
            ([3, 0, 6], [3, 3, 3, 3]),
        ),
    ];
    for (name, value, expected) in cases {
        let requests = exported(&[(name, value)], record).await;
        let spans = requests[0].spans();
        let span = &spans[0];
        let length = texts(&span.attributes)["k0"].len();
        let shape = (
            [
                span.attributes.len(),
                span.dropped_attributes_count as usize,
                length,
            ],
            [
                span.events.len(),
                span.links.len(),
                span.events[0].attributes.len(),
                span.links[0].attributes.len(),
            ],
        );
        assert_eq!(shape, expected, "{name}={value}");
        assert_eq!(span.events.len() + span.dropped_events_count as usize, 3);
        assert_eq!(span.links.len() + span.dropped_links_count as usize, 3);
    }
}

#[tokio::test]
async fn batches_and_queues_are_as_large_as_told() {
    let five = |telemetry: &Telemetry| (0..5).for_each(|_| one_span(telemetry));
    let requests = exported(&[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")], five).await;
    let sizes: Vec<_> = requests
        .iter()
        .map(|request| request.spans().len())
        .collect();
    assert_eq!(sizes.iter().sum::<usize>(), 5);
    assert!(sizes.iter().all(|size| *size <= 2), "{sizes:?}");

    // Nobody listens there.
    let dead = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let queue = ("OTEL_BSP_MAX_QUEUE_SIZE", "2");
    let batch = ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1");
    let telemetry = try_build(&[dead, queue, batch]).unwrap();
    (0..50).for_each(|_| one_span(&telemetry));
    let counts = telemetry.counts();
    assert!(counts.queued <= 2, "{counts:?}");
    assert!(
        counts.dropped_for(DropReason::QueueFull) >= 40,
        "{counts:?}"
    );

    let given_up = ("OTEL_BSP_EXPORT_TIMEOUT", "1");
    let delay = ("OTEL_BSP_SCHEDULE_DELAY", "1");
    let telemetry = try_build(&[dead, given_up, delay]).unwrap();
    one_span(&telemetry);
    let lost = async {
        while telemetry.counts().dropped_for(DropReason::RetriesExhausted) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), lost)
        .await
        .unwrap();
}

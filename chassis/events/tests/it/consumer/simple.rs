//! Events that nothing happens to.

use serde_json::json;
use telemetry::testing::Kind;

use super::bench::{Bench, attempts, consumer_state, metric, until};

#[tokio::test]
async fn an_event_has_its_effect_in_the_trace_that_published_it() {
    let bench = Bench::open().await;
    let consumer = bench.consumer(json!({})).await;
    let event = bench.count("a", 1);
    bench.settled(&[("a", &[1])]).await;
    let span = until("the span has ended", async || {
        attempts(&consumer, &event).await.pop()
    })
    .await;
    assert_eq!(span.name, "process orders");
    assert_eq!(span.trace_id, event.sent_by.trace_id);
    assert_eq!(span.parent_span_id, Some(event.sent_by.span_id));
    let links = span.links.iter().map(|link| link.span_id);
    assert_eq!(links.collect::<Vec<_>>(), [event.sent_by.span_id]);
    assert_eq!(span.text("messaging.consumer.group.name"), Some("example"));
    assert_eq!(span.text("citywatch.event.type"), Some("orders.Counted.v1"));
    assert_eq!(span.number("citywatch.event.attempt"), Some(1));
    let queued = span.number("citywatch.event.queue_ms").unwrap();
    assert!((0..60_000).contains(&queued), "{queued}");
    assert!(!span.is_error());

    let mut trace = consumer.spans().await;
    trace.retain(|one| one.trace_id == span.trace_id);
    let statements = trace.iter().filter(|one| one.kind == Kind::Client);
    let mut names: Vec<_> = statements.map(|one| &*one.name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["BEGIN", "COMMIT", "INSERT effects", "UPDATE event_cursors"]
    );
    assert!(
        consumer
            .spans()
            .await
            .iter()
            .all(|one| one.trace_id == span.trace_id),
        "polls and leases begin no traces"
    );
    assert_eq!(
        metric(
            &consumer,
            "citywatch_events_handled_total{feed=\"orders\",outcome=\"handled\",type=\"orders.Counted.v1\"}"
        )
        .await,
        1.0
    );
    let queue = "citywatch_events_queue_seconds_count{feed=\"orders\"}";
    assert_eq!(metric(&consumer, queue).await, 1.0);
    let page = consumer.metrics().await;
    assert!(
        !page.contains("server_address=\"orders\""),
        "polls are no calls that are measured\n{page}"
    );
    consumer.stop().await;
}

#[tokio::test]
async fn what_is_not_for_it_is_passed_over_and_what_it_missed_is_made_up_for() {
    let bench = Bench::open().await;
    for n in 1..=300 {
        bench.count(if n % 2 == 0 { "even" } else { "odd" }, n);
        bench.feed.publish("orders.Other.v1", "even", &json!({}));
    }
    let consumer = bench.consumer(json!({})).await;
    let odd: Vec<_> = (1..=300).filter(|n| n % 2 == 1).collect();
    let even: Vec<_> = (1..=300).filter(|n| n % 2 == 0).collect();
    bench.settled(&[("even", &even), ("odd", &odd)]).await;
    let state = until("the cursor is at the end", async || {
        let state = consumer_state(&consumer).await;
        (state["lag_events"] == 0).then_some(state)
    })
    .await;
    assert_eq!(state["position"], 600);
    assert_eq!(state["head"], 600);
    assert_eq!(state["lag_seconds"], 0.0);
    // From where it was, not from the beginning.
    consumer.stop().await;
    let consumer = bench.consumer(json!({})).await;
    bench.count("odd", 301);
    let odd: Vec<_> = odd.into_iter().chain([301]).collect();
    bench.settled(&[("even", &even), ("odd", &odd)]).await;
    consumer.stop().await;
}

#[tokio::test]
async fn the_lag_is_right_while_nothing_is_handled_and_after() {
    let bench = Bench::open().await;
    let consumer = bench.consumer(json!({})).await;
    bench.count("a", 0);
    bench.settled(&[("a", &[0])]).await;
    consumer.stop().await;

    bench.script.stop();
    for n in 1..=5 {
        bench.count("a", n);
    }
    let consumer = bench.consumer(json!({})).await;
    let lag = "citywatch_events_lag_events{feed=\"orders\"}";
    until("it knows what it has missed", async || {
        (metric(&consumer, lag).await == 5.0).then_some(())
    })
    .await;
    // It hears of what comes while it is stuck.
    bench.count("a", 6);
    until("it knows what has come since", async || {
        (metric(&consumer, lag).await == 6.0).then_some(())
    })
    .await;
    let seconds = "citywatch_events_lag_seconds{feed=\"orders\"}";
    let before = metric(&consumer, seconds).await;
    assert!(before > 0.0);
    until("it grows", async || {
        (metric(&consumer, seconds).await > before + 0.05).then_some(())
    })
    .await;
    bench.script.go();
    bench.settled(&[("a", &[0, 1, 2, 3, 4, 5, 6])]).await;
    until("it is over", async || {
        (metric(&consumer, lag).await == 0.0 && metric(&consumer, seconds).await == 0.0)
            .then_some(())
    })
    .await;
    consumer.stop().await;
}

#[tokio::test]
async fn a_producer_that_is_away_is_waited_for() {
    let bench = Bench::open().await;
    bench.feed.set_away(true);
    let consumer = bench.consumer(json!({})).await;
    bench.count("a", 1);
    until("it was asked in vain", async || {
        (bench.feed.refused() > 2).then_some(())
    })
    .await;
    bench.feed.set_away(false);
    bench.settled(&[("a", &[1])]).await;
    consumer.stop().await;
}

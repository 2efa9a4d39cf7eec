//! Events that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use events::Failure;
use reqwest::Method;
use serde_json::json;

use super::bench::{Bench, attempts, consumer_state, letters, metric, operator, until};

#[tokio::test]
async fn a_poisoned_event_keeps_its_subject_until_its_replay_heals_it_in_the_same_trace() {
    let bench = Bench::open().await;
    let poisoned = Arc::new(AtomicBool::new(true));
    let poison = Arc::clone(&poisoned);
    bench.script.says(move |event| {
        if event.subject == "ill" && event.data.get().contains('1') && poison.load(Ordering::SeqCst)
        {
            return Err(Failure::Event("one is too few".to_owned()));
        }
        Ok(())
    });
    let consumer = bench.consumer(json!({"events_attempts": 3})).await;
    bench.count("ill", 0);
    let ill = bench.count("ill", 1);
    bench.count("well", 1);
    bench.count("ill", 2);
    bench.count("well", 2);
    bench.count("ill", 3);
    bench.count("well", 3);
    bench.settled(&[("ill", &[0]), ("well", &[1, 2, 3])]).await;
    let letter = until("it is a dead letter", async || {
        let letters = letters(&consumer).await;
        let mut dead = letters.into_iter().filter(|one| one["state"] == "dead");
        dead.next().filter(|one| one["waiting"] == 2)
    })
    .await;
    assert_eq!(letter["event_id"], *ill.id);
    assert_eq!(letter["feed"], "orders");
    assert_eq!(letter["subject"], "ill");
    assert_eq!(letter["type"], "orders.Counted.v1");
    assert_eq!(letter["reason"], "one is too few");
    assert_eq!(letter["event"]["type"], "citywatch.orders.Counted.v1");
    assert_eq!(letter["event"]["data"], json!({"n": 1}));
    let tried = letter["attempts"].as_u64().unwrap();
    let state = consumer_state(&consumer).await;
    assert_eq!((&state["dead"], &state["waiting"]), (&json!(1), &json!(2)));
    assert_eq!(state["lag_events"], 0, "what is parked is not lag: {state}");
    let gauge = "citywatch_events_dead_letters{feed=\"orders\"}";
    assert_eq!(metric(&consumer, gauge).await, 1.0);

    let spans = attempts(&consumer, &ill).await;
    assert_eq!(spans.len() as u64, tried);
    assert!(tried >= 3);
    for (at, span) in spans.iter().enumerate() {
        assert_eq!(span.trace_id, ill.sent_by.trace_id);
        assert_eq!(span.parent_span_id, Some(ill.sent_by.span_id));
        assert_eq!(
            span.number("citywatch.event.attempt"),
            Some(i64::try_from(at).unwrap() + 1)
        );
        assert!(span.is_error());
        assert_eq!(span.text("citywatch.event.reason"), Some("one is too few"));
    }
    let last = spans.last().unwrap();
    let dead = last.event("citywatch.event.dead_letter");
    assert_eq!(dead.text("citywatch.event.reason"), Some("one is too few"));

    // Still ill: dead once more, after one attempt.
    let replay = format!("/inner/v1/events/dead/{}/replay", ill.id);
    let answer = operator(&consumer, Method::POST, &replay).await;
    assert_eq!(answer.status(), 202);
    until("it was tried again", async || {
        let letters = letters(&consumer).await;
        let letter = letters.first()?;
        (letter["state"] == "dead" && letter["attempts"] == tried + 1).then_some(())
    })
    .await;

    poisoned.store(false, Ordering::SeqCst);
    let answer = operator(&consumer, Method::POST, &replay).await;
    assert_eq!(answer.status(), 202);
    bench
        .settled(&[("ill", &[0, 1, 2, 3]), ("well", &[1, 2, 3])])
        .await;
    until("the attempt that healed it has ended", async || {
        let spans = attempts(&consumer, &ill).await;
        let last = spans.last()?;
        let healed = !last.is_error() && last.trace_id == ill.sent_by.trace_id;
        healed.then_some(())
    })
    .await;
    until("nothing is parked", async || {
        let state = consumer_state(&consumer).await;
        let parked = (&state["dead"], &state["waiting"], &state["retrying"]);
        let gauge = metric(&consumer, gauge).await;
        (parked == (&json!(0), &json!(0), &json!(0)) && gauge == 0.0).then_some(())
    })
    .await;
    consumer.stop().await;
}

#[tokio::test]
async fn an_event_that_is_given_up_lets_its_subject_go_on() {
    let bench = Bench::open().await;
    bench.script.says(|event| match event.data.get() {
        r#"{"n":1}"# => panic!("a bone broke"),
        _ => Ok(()),
    });
    let consumer = bench.consumer(json!({"events_attempts": 1})).await;
    let broken = bench.count("a", 1);
    bench.count("a", 2);
    let letter = until("it is a dead letter", async || {
        letters(&consumer)
            .await
            .pop()
            .filter(|one| one["waiting"] == 1)
    })
    .await;
    assert_eq!(letter["reason"], "the handler panicked: a bone broke");
    let path = format!("/inner/v1/events/dead/{}", broken.id);
    let answer = operator(&consumer, Method::DELETE, &path).await;
    assert_eq!(answer.status(), 204);
    bench.settled(&[("a", &[2])]).await;
    let answer = operator(&consumer, Method::DELETE, &path).await;
    testing::assert_problem(answer, 404, "unknown_event").await;
    consumer.stop().await;
}

#[tokio::test]
async fn what_an_event_waits_for_holds_the_feed_and_costs_no_attempt() {
    let bench = Bench::open().await;
    let away = Arc::new(AtomicBool::new(true));
    let waits = Arc::clone(&away);
    bench.script.says(move |event| {
        if event.subject == "a" && waits.load(Ordering::SeqCst) {
            return Err(Failure::Later("the shop is shut".to_owned()));
        }
        Ok(())
    });
    let consumer = bench
        .consumer(json!({"events_attempts": 1, "events_backoff_max_ms": 30_000}))
        .await;
    let first = bench.count("a", 1);
    bench.count("b", 1);
    until("it was tried more than once", async || {
        (attempts(&consumer, &first).await.len() > 2).then_some(())
    })
    .await;
    assert!(bench.effects().await.is_empty());
    assert!(letters(&consumer).await.is_empty());
    away.store(false, Ordering::SeqCst);
    bench.settled(&[("a", &[1]), ("b", &[1])]).await;
    consumer.stop().await;
}

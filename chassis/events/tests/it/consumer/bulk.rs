//! A feed that is far behind.

use std::collections::BTreeMap;

use events::Failure;
use reqwest::Method;
use serde_json::json;
use telemetry::testing::Value;

use super::bench::{Bench, attempts, consumer_state, metric, operator, until};

const HANDLED: &str = "citywatch_events_handled_total{feed=\"orders\",outcome=\"handled\",type=\"orders.Counted.v1\"}";

#[tokio::test]
async fn many_events_are_handled_together_each_in_its_own_trace() {
    let bench = Bench::open().await;
    let events: Vec<_> = (1..=200).map(|n| bench.count("a", n)).collect();
    let consumer = bench.consumer(json!({})).await;
    let all: Vec<_> = (1..=200).collect();
    bench.settled(&[("a", &all)]).await;
    assert_eq!(bench.script.together(), [200]);
    let spans = until("its spans have ended", async || {
        let of_last = attempts(&consumer, &events[199]).await;
        (!of_last.is_empty()).then_some(())
    });
    spans.await;
    for event in &events {
        let [span] = &attempts(&consumer, event).await[..] else {
            panic!("one attempt at each");
        };
        assert_eq!(span.trace_id, event.sent_by.trace_id);
        assert_eq!(span.number("citywatch.event.together"), Some(200));
        assert!(!span.is_error());
    }
    assert_eq!(metric(&consumer, HANDLED).await, 200.0);

    // Few at a time are not.
    bench.count("a", 201);
    let all: Vec<_> = (1..=201).collect();
    bench.settled(&[("a", &all)]).await;
    assert_eq!(bench.script.together(), [200]);
    consumer.stop().await;
}

#[tokio::test]
async fn one_that_fails_among_many_keeps_only_its_subject_waiting() {
    let bench = Bench::open().await;
    bench.script.says(|event| match event.data.get() {
        r#"{"n":77}"# => Err(Failure::Event("no luck".to_owned())),
        r#"{"n":140}"# => panic!("a bone broke"),
        _ => Ok(()),
    });
    let subject = |n: i64| if n % 7 == 0 { "ill" } else { "well" };
    let events: Vec<_> = (1..=300).map(|n| bench.count(subject(n), n)).collect();
    let consumer = bench.consumer(json!({"events_attempts": 2})).await;
    let ill: Vec<_> = (1..77).filter(|n| n % 7 == 0).collect();
    let well: Vec<_> = (1..=300).filter(|n| n % 7 != 0).collect();
    bench.settled(&[("ill", &ill), ("well", &well)]).await;
    let state = until("it is a dead letter", async || {
        let state = consumer_state(&consumer).await;
        (state["dead"] == 1).then_some(state)
    })
    .await;
    assert_eq!(state["waiting"], (300 - 77) / 7, "{state}");
    assert_eq!(bench.script.together()[0], 300, "they were tried together");
    let of_ill = attempts(&consumer, &events[76]).await;
    let is_undone = |attributes: &BTreeMap<String, Value>| {
        attributes.get("citywatch.event.undone") == Some(&Value::Bool(true))
    };
    assert!(is_undone(&of_ill[0].attributes), "{of_ill:#?}");
    assert!(!of_ill[0].is_error());
    assert!(of_ill.last().unwrap().is_error());

    bench.script.says(|_| Ok(()));
    let replay = format!("/inner/v1/events/dead/{}/replay", events[76].id);
    let answer = operator(&consumer, Method::POST, &replay).await;
    assert_eq!(answer.status(), 202);
    let ill: Vec<_> = (1..=300).filter(|n| n % 7 == 0).collect();
    bench.settled(&[("ill", &ill), ("well", &well)]).await;
    consumer.stop().await;
}

use events::Event;
use serde_json::{Value, json};
use testing::assert_problem;

use super::desk::{ask, events, follow, head_of, open, publish, read_replica, write_note};

#[tokio::test]
async fn events_are_cloud_events_in_a_batch() {
    let notes = open().await;
    publish(&notes, "a", 1).await;
    publish(&notes, "b", 1).await;
    follow(&notes, 2).await;
    let answer = ask(&notes, "").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["content-type"],
        "application/cloudevents-batch+json"
    );
    assert_eq!(answer.headers()["citywatch-feed-head"], "2");
    let batch: Value = answer.json().await.unwrap();
    let first = &batch[0];
    for (attribute, value) in [
        ("specversion", "1.0"),
        ("type", "citywatch.orders.NoteWritten.v1"),
        ("source", "/citywatch/orders"),
        ("subject", "a"),
        ("datacontenttype", "application/json"),
        ("sequence", "1"),
    ] {
        assert_eq!(first[attribute], value, "{batch}");
    }
    let body = json!({ "subject": "a", "number": 1, "text": "" });
    assert_eq!(first["data"], body);
    let id = first["id"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
    assert!(first["time"].as_str().unwrap().ends_with('Z'), "{batch}");

    // What is read is what was written.
    let read: Vec<Event> = serde_json::from_value(batch.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), batch);
    assert_eq!(read[1].position, 2);
    assert_eq!(read[0].data::<Value>().unwrap(), body);
}

#[tokio::test]
async fn whoever_reads_goes_on_behind_the_last_event() {
    let notes = open().await;
    for number in 1..=3 {
        publish(&notes, "a", number).await;
    }
    let all = follow(&notes, 3).await;
    let behind = |at: usize| format!("lastEventId={}", all[at].id);
    let ids = |events: &[Event]| {
        events
            .iter()
            .map(|event| event.id.clone())
            .collect::<Vec<_>>()
    };
    let rest = events(ask(&notes, &behind(0)).await).await;
    assert_eq!(ids(&rest), ids(&all[1..]));
    let one = events(ask(&notes, &format!("{}&limit=1", behind(0))).await).await;
    assert_eq!(ids(&one), ids(&all[1..2]));
    let none = events(ask(&notes, &behind(2)).await).await;
    assert_eq!(ids(&none), Vec::<String>::new());
}

#[tokio::test]
async fn a_batch_is_no_larger_than_an_answer_may_be() {
    let notes = open().await;
    for number in 0..30 {
        let order = json!({ "subject": "a", "number": number, "text": "\u{1}".repeat(10_000) });
        assert_eq!(write_note(&notes, order).await, 201);
    }
    let mut read = 0;
    let mut last = String::new();
    while read < 30 {
        let answer = ask(&notes, &format!("limit=1000&timeout=15000{last}")).await;
        let body = answer.bytes().await.unwrap();
        assert!(body.len() < calls::MAX_ANSWER, "{}", body.len());
        let batch: Vec<Event> = serde_json::from_slice(&body).unwrap();
        read += batch.len();
        last = format!("&lastEventId={}", batch.last().unwrap().id);
    }
}

#[tokio::test]
async fn only_those_who_are_named_may_read() {
    let notes = open().await;
    let url = format!("{}/inner/v1/feed", notes.url);
    let anyone = notes.http.get(&url).send().await.unwrap();
    assert_problem(anyone, 401, "missing_token").await;
    let stranger = notes.town().service_token("cart", "orders");
    let stranger = notes
        .http
        .get(&url)
        .bearer_auth(stranger)
        .send()
        .await
        .unwrap();
    assert_problem(stranger, 403, "forbidden").await;
    let member = notes.town().member_token("m", &["admin"]);
    let member = notes
        .http
        .get(&url)
        .bearer_auth(member)
        .send()
        .await
        .unwrap();
    assert_eq!(member.status(), 401);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let notes = open().await;
    publish(&notes, "a", 1).await;
    let unknown = ask(&notes, "lastEventId=0197a9b0-0000-7000-8000-000000000000").await;
    assert_problem(unknown, 410, "feed_truncated").await;
    assert_problem(ask(&notes, "limit=0").await, 400, "invalid_limit").await;
    assert_problem(ask(&notes, "limit=1001").await, 400, "invalid_limit").await;
    assert_problem(ask(&notes, "timeout=soon").await, 400, "invalid_query").await;
}

#[tokio::test]
async fn a_replica_reads_its_stores_own_events() {
    let notes = open().await;
    assert_eq!(head_of(&notes).await, 0);
    let nothing = read_replica(&notes, 0, 0).await;
    assert_eq!(nothing, json!({ "events": [], "head": 0, "end": 0 }));
    publish(&notes, "a", 1).await;
    publish(&notes, "a", 2).await;
    follow(&notes, 2).await;
    let all = read_replica(&notes, 0, 0).await;
    assert_eq!(all["events"].as_array().unwrap().len(), 2);
    assert_eq!((&all["head"], &all["end"]), (&json!(2), &json!(2)));
    let (late, ()) = tokio::join!(read_replica(&notes, 2, 9_000), publish(&notes, "b", 1));
    assert_eq!(late["events"][0]["sequence"], "3");
    assert_eq!(head_of(&notes).await, 3);
}

//! An answer that is held back, and what it must not do meanwhile.

use serde_json::{Value, json};
use testing::eventually;

use super::desk::{Notes, ask, events, open, publish, write_note};

#[tokio::test]
async fn who_waits_is_told_of_a_commit() {
    let notes = open().await;
    let (told, ()) = tokio::join!(ask(&notes, "timeout=15000"), publish(&notes, "a", 1));
    assert_eq!(events(told).await.len(), 1);
    // With nothing to tell, it is an empty batch when the time is over.
    let all = events(ask(&notes, "").await).await;
    let behind = format!("timeout=20&lastEventId={}", all[0].id);
    let nothing = ask(&notes, &behind).await;
    assert_eq!(nothing.headers()["citywatch-feed-head"], "1");
    assert_eq!(events(nothing).await.len(), 0);
}

#[tokio::test]
async fn waiting_is_no_request_that_takes_long() {
    let notes = testing::start::<Notes>(json!({ "request_timeout_ms": 100 })).await;
    // Longer than any request may take.
    assert_eq!(events(ask(&notes, "timeout=700").await).await.len(), 0);
    // Another request, in time or not, is one that is measured.
    write_note(&notes, json!({ "subject": "a", "number": 1 })).await;
    let page = notes.metrics().await;
    assert!(page.contains("/notes"), "{page}");
    assert!(!page.contains("/inner/v1/feed"), "{page}");
    let traced = |name: &str| name.contains("feed");
    let spans = notes.spans().await;
    let feed: Vec<_> = spans.iter().filter(|span| traced(&span.name)).collect();
    assert!(feed.is_empty(), "{feed:?}");
}

#[tokio::test]
async fn who_waits_does_not_hold_up_the_end() {
    let notes = testing::start::<Notes>(json!({ "faults_enabled": true })).await;
    let url = format!("{}/inner/v1/feed?timeout=15000", notes.url);
    let token = notes.town().service_token("shipping", "orders");
    let waiting = notes.http.get(url).bearer_auth(token).send();
    let waiting = tokio::spawn(waiting);
    eventually("it has come in", || async {
        let points = notes.http.get(format!("{}/faults", notes.admin_url));
        let points = points.bearer_auth(notes.town().operator_token());
        let points: Value = points.send().await.unwrap().json().await.unwrap();
        let points = points["points"].as_array().unwrap();
        let server = points.iter().find(|point| point["name"] == "server");
        (server.unwrap()["hits"] == 1).then_some(())
    })
    .await;
    // It ends in time, though requests in flight would be waited for.
    notes.stop().await;
    let told = waiting.await.unwrap().unwrap();
    assert_eq!(events(told).await.len(), 0);
}

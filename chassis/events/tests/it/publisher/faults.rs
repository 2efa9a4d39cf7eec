//! A publisher that is struck at each of its points tells everything, once.

use serde_json::json;
use testing::assert_problem;

use super::desk::{Notes, arm, ask, events, follow, numbers, publish, write_note};

async fn breakable(further: serde_json::Value) -> testing::Running {
    let mut settings = json!({ "faults_enabled": true });
    for (key, value) in further.as_object().unwrap() {
        settings[key] = value.clone();
    }
    testing::start::<Notes>(settings).await
}

#[tokio::test]
async fn positions_are_given_once_whatever_strikes() {
    for point in ["feed.before_commit", "feed.after_commit"] {
        let notes = breakable(json!({})).await;
        arm(&notes, point, "error").await;
        publish(&notes, "a", 1).await;
        publish(&notes, "a", 2).await;
        let all = follow(&notes, 2).await;
        assert_eq!(numbers(&all, "a"), [1, 2], "{point}");
        let positions: Vec<_> = all.iter().map(|event| event.position).collect();
        assert_eq!(positions, [1, 2], "{point}");
    }
}

#[tokio::test]
async fn a_batch_that_was_not_answered_is_asked_for_again() {
    let notes = breakable(json!({})).await;
    publish(&notes, "a", 1).await;
    follow(&notes, 1).await;
    arm(&notes, "feed.before_send", "error").await;
    assert_problem(ask(&notes, "").await, 503, "unavailable").await;
    assert_eq!(events(ask(&notes, "").await).await.len(), 1);
}

#[tokio::test]
async fn what_is_to_go_goes_whatever_strikes() {
    for point in ["retention.before_commit", "retention.after_commit"] {
        let notes = breakable(json!({ "events_retention_mib": 1 })).await;
        arm(&notes, point, "error").await;
        for number in 0..40 {
            let order = json!({ "subject": "a", "number": number, "text": "x".repeat(40_000) });
            assert_eq!(write_note(&notes, order).await, 201);
        }
        testing::eventually("old events are gone", || async {
            let oldest = events(ask(&notes, "limit=1").await).await;
            (oldest[0].position > 1).then_some(())
        })
        .await;
    }
}

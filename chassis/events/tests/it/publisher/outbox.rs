use serde_json::json;
use testing::eventually;

use super::desk::{Notes, follow, head_of, numbers, open, publish, write_note};

#[tokio::test]
async fn an_event_is_there_if_and_only_if_its_change_is() {
    let notes = open().await;
    let undone = json!({ "subject": "a", "number": 1, "undo": true });
    assert_eq!(write_note(&notes, undone).await, 409);
    publish(&notes, "a", 1).await;
    // The same note again violates a constraint: nothing is written, and nothing published.
    assert_eq!(
        write_note(&notes, json!({ "subject": "a", "number": 1 })).await,
        500
    );
    publish(&notes, "a", 2).await;
    let all = follow(&notes, 2).await;
    assert_eq!(numbers(&all, "a"), [1, 2]);
    assert_eq!(head_of(&notes).await, 2);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_nothing_of_it_stays() {
    let notes = testing::start::<Notes>(json!({ "max_body_bytes": 1_000_000 })).await;
    let large = json!({ "subject": "a", "number": 1, "text": "x".repeat(64 * 1024) });
    assert_eq!(write_note(&notes, large).await, 413);
    let fits = json!({ "subject": "a", "number": 1, "text": "x".repeat(60_000) });
    assert_eq!(write_note(&notes, fits).await, 201);
    assert_eq!(numbers(&follow(&notes, 1).await, "a"), [1]);
}

#[tokio::test]
async fn metrics_are_born_at_zero_and_count_what_was_committed() {
    let notes = open().await;
    let published = "\ncitywatch_events_published_total{type=\"orders.NoteWritten.v1\"}";
    let page = notes.metrics().await;
    for line in [
        &format!("{published} 0\n"),
        "\ncitywatch_events_unpublished 0\n",
        "\ncitywatch_events_oldest_unpublished_seconds 0\n",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
    let undone = json!({ "subject": "a", "number": 1, "times": 3, "undo": true });
    assert_eq!(write_note(&notes, undone).await, 409);
    let done = json!({ "subject": "a", "number": 1, "times": 3 });
    assert_eq!(write_note(&notes, done).await, 201);
    follow(&notes, 3).await;
    let page = notes.metrics().await;
    assert!(page.contains(&format!("{published} 3\n")), "{page}");
    eventually("nothing waits for a position", || async {
        let page = notes.metrics().await;
        page.contains("\ncitywatch_events_unpublished 0\n")
            .then_some(())
    })
    .await;
}

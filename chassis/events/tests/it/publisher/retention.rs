use events::Event;
use serde_json::json;
use sqlx::Connection as _;
use testing::{assert_problem, eventually};

use super::desk::{Notes, ask, events, follow, head_of, open, publish, read_replica, write_note};

/// So many events of 40 KB are more than a MiB.
const MANY: usize = 40;

async fn oldest(notes: &testing::Running) -> Option<Event> {
    events(ask(notes, "limit=1").await).await.into_iter().next()
}

#[tokio::test]
async fn what_there_is_no_room_for_goes_from_the_oldest_on() {
    let notes = testing::start::<Notes>(json!({ "events_retention_mib": 1 })).await;
    for number in 0..MANY {
        let order = json!({ "subject": "a", "number": number, "text": "x".repeat(40_000) });
        assert_eq!(write_note(&notes, order).await, 201);
    }
    let first = eventually("some are gone", || async {
        oldest(&notes).await.filter(|event| event.position > 1)
    })
    .await;
    // What there is room for is kept.
    let kept = follow(&notes, MANY + 1 - usize::try_from(first.position).unwrap()).await;
    assert_eq!(kept.last().unwrap().position, i64::try_from(MANY).unwrap());
    let bytes: usize = kept.iter().map(|event| event.data.get().len()).sum();
    assert!((900_000..=1 << 20).contains(&bytes), "{bytes}");
    assert_eq!(head_of(&notes).await, i64::try_from(MANY).unwrap());

    assert_eq!(read_replica(&notes, 0, 0).await, "truncated");
    let boundary = first.position - 1;
    let read = read_replica(&notes, boundary, 0).await;
    assert_eq!(read["events"][0]["id"], first.id);
    assert_eq!(read_replica(&notes, boundary - 1, 0).await, "truncated");
}

#[tokio::test]
async fn whoever_is_behind_what_is_kept_is_told() {
    let notes = testing::start::<Notes>(json!({ "events_retention_mib": 1 })).await;
    publish(&notes, "a", 1).await;
    let first = follow(&notes, 1).await.remove(0);
    for number in 2..MANY {
        let order = json!({ "subject": "a", "number": number, "text": "x".repeat(40_000) });
        assert_eq!(write_note(&notes, order).await, 201);
    }
    eventually("the first is gone", || async {
        oldest(&notes).await.filter(|event| event.position > 2)
    })
    .await;
    let behind = ask(&notes, &format!("lastEventId={}", first.id)).await;
    assert_problem(behind, 410, "feed_truncated").await;
}

#[tokio::test]
async fn the_event_at_the_boundary_is_one_to_go_on_behind() {
    let notes = open().await;
    for number in 1..=3 {
        publish(&notes, "a", number).await;
    }
    let all = follow(&notes, 3).await;
    let town = notes.town().clone();
    notes.stop().await;
    // As if the hours had gone by.
    let store = format!("sqlite://{}", town.folder().join("notes.db").display());
    sqlx::any::install_default_drivers();
    let mut pool = sqlx::AnyConnection::connect(&store).await.unwrap();
    sqlx::query("UPDATE outbox SET time = 0 WHERE position <= 2")
        .execute(&mut pool)
        .await
        .unwrap();
    pool.close().await.unwrap();
    let notes = town.start::<Notes>(json!({})).await;
    let kept = eventually("the old ones are gone", || async {
        oldest(&notes).await.filter(|event| event.position == 3)
    })
    .await;
    assert_eq!(kept.id, all[2].id);
    let behind = |event: &Event| format!("lastEventId={}", event.id);
    let rest = events(ask(&notes, &behind(&all[1])).await).await;
    assert_eq!(rest.len(), 1);
    let gone = ask(&notes, &behind(&all[0])).await;
    assert_problem(gone, 410, "feed_truncated").await;
    // New ones of the subject come behind the old ones.
    publish(&notes, "a", 4).await;
    let last = events(ask(&notes, &format!("timeout=15000&{}", behind(&all[2]))).await).await;
    assert_eq!(last[0].position, 4);
}

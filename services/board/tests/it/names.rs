//! What authors are called: asked for once a page, remembered a while, done without if need be.

use serde_json::{Value, json};

use crate::square::{JO, MINA, open, open_with};
use crate::users::Mood;

/// A breaker would rest longer than a test waits.
fn no_breaker() -> Value {
    json!({ "breaker_consecutive_failures": 0, "breaker_failure_percent": 0 })
}

#[tokio::test]
async fn a_page_asks_once_for_all_its_authors_and_remembers_them() {
    let square = open().await;
    for member in [JO, MINA, JO, MINA] {
        square.written(member, "x").await;
    }
    let mut asked = std::mem::take(&mut square.users.world().asked);
    asked.sort();
    assert_eq!(asked, [[MINA], [JO]], "each once");
    assert_eq!(
        square.authors().await,
        [json!("김민아"), Value::Null, json!("김민아"), Value::Null]
    );
    let asked = square.users.world().asked.len();
    assert_eq!(asked, 0, "also that nobody is known by an id is remembered");
    assert_eq!(
        (square.named("asked").await, square.named("unknown").await),
        (1, 1)
    );
    assert_eq!(square.named("remembered").await, 4);
}

#[tokio::test]
async fn a_name_that_is_not_remembered_is_asked_for_with_the_others() {
    let square = open_with(json!({ "names_kept_ms": 0 })).await;
    square.written(MINA, "x").await;
    square.written(JO, "x").await;
    square.users.know(JO, "Jo");
    square.users.world().asked.clear();
    for _ in 0..2 {
        assert_eq!(square.authors().await, ["Jo", "김민아"]);
    }
    assert_eq!(square.users.world().asked, [[MINA, JO], [MINA, JO]]);
}

#[tokio::test]
async fn whatever_happens_to_users_the_board_is_read_and_written() {
    let mut settings = no_breaker();
    settings["names_kept_ms"] = json!(0);
    let square = open_with(settings).await;
    let mut posts = 0;
    for mood in [
        Mood::Fails(503),
        Mood::Fails(403),
        Mood::Hangs,
        Mood::Babbles,
    ] {
        square.users.is(Some(mood));
        let failed = square.named("failed").await;
        let post = square.written(MINA, "x").await;
        posts += 1;
        assert_eq!(
            post["author"],
            json!({ "id": MINA, "name": null }),
            "{mood:?}"
        );
        assert_eq!(square.authors().await, vec![Value::Null; posts], "{mood:?}");
        assert_eq!(square.named("failed").await, failed + 2, "{mood:?}");
    }
    square.users.is(None);
    assert_eq!(square.authors().await, vec!["김민아"; posts]);
}

#[tokio::test]
async fn without_users_posts_show_the_id_alone() {
    let square = open_with(json!({ "instances": {} })).await;
    let post = square.written(MINA, "x").await;
    assert_eq!(post["author"], json!({ "id": MINA, "name": null }));
    assert_eq!(square.authors().await, [Value::Null]);
    assert_eq!(square.named("failed").await, 2);
}

#[tokio::test]
async fn what_users_cannot_say_is_not_remembered_as_unknown() {
    let square = open_with(no_breaker()).await;
    square.users.is(Some(Mood::Fails(500)));
    square.written(MINA, "x").await;
    square.users.is(None);
    assert_eq!(square.authors().await, ["김민아"]);
    square.users.is(Some(Mood::Hangs));
    assert_eq!(square.authors().await, ["김민아"], "remembered");
}

use serde_json::json;
use telemetry::testing::Kind;

use crate::square::{MINA, draft, open_with};
use crate::users::Mood;

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let square = open_with(json!({ "names_kept_ms": 0 })).await;
    let service = &square.service;
    let written = service.traced(square.write(MINA, &draft("x"))).await;
    written.assert(
        201,
        "board POST /api/posts
           board BEGIN
           board INSERT posts
           board publish board
           board INSERT outbox
           board COMMIT
           board GET /inner/v1/names",
    );
    let publish = written.tree.span("publish board");
    assert_eq!(publish.kind, Kind::Producer);
    assert_eq!(
        publish.text("citywatch.event.type"),
        Some("board.PostCreated.v1")
    );

    let page = service.http.get(format!("{}/api/posts", service.url));
    service.traced(page).await.assert(
        200,
        "board GET /api/posts
           board SELECT posts
           board GET /inner/v1/names",
    );
    let path = format!("/api/posts/{}", written.body["id"].as_str().unwrap());
    let one = || service.http.get(format!("{}{path}", service.url));
    service.traced(one()).await.assert(
        200,
        "board GET /api/posts/{id}
           board SELECT posts
           board GET /inner/v1/names",
    );

    // The answer is whole; the trace says what it lacks, and why.
    square.users.is(Some(Mood::Hangs));
    let traced = service.traced(one()).await;
    assert_eq!(
        (traced.status.as_u16(), &traced.body["author"]["name"]),
        (200, &json!(null))
    );
    assert!(!traced.tree.root().is_error(), "{}", traced.tree);
    let calls = traced.tree.children(traced.tree.root().span_id);
    let calls = calls
        .iter()
        .filter(|span| span.name == "GET /inner/v1/names");
    let errors: Vec<_> = calls.map(|span| span.text("error.type")).collect();
    assert_eq!(errors, [Some("timeout")], "{}", traced.tree);
}

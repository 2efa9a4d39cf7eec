//! Posts, written and read.

use serde_json::{Value, json};
use testing::{Town, assert_problem};

use crate::square::{JO, MINA, draft, open, open_with, start, write};
use crate::users::Users;

#[tokio::test]
async fn a_member_writes_and_everybody_reads() {
    let square = open().await;
    let answer = square.write(MINA, &draft(" Mugs, 머그잔 ")).send().await;
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 201);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let post: Value = answer.json().await.unwrap();
    assert_eq!(
        location,
        format!("/api/posts/{}", post["id"].as_str().unwrap())
    );
    assert_eq!(post["title"], "Mugs, 머그잔");
    assert_eq!(post["body"], "첫 줄\nsecond line");
    assert_eq!(post["author"], json!({ "id": MINA, "name": "김민아" }));
    assert!(post["created_at"].as_str().unwrap().ends_with('Z'));

    let read = square.get(&location).await;
    assert_eq!(read.status(), 200);
    assert_eq!(read.json::<Value>().await.unwrap(), post);
    let page = square.page("").await;
    assert_eq!(page, json!({ "items": [post], "next_cursor": null }));
    let metrics = square.service.metrics().await;
    assert!(
        metrics.contains("\ncitywatch_board_posts_total 1\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest() {
    let square = open_with(json!({ "page_size": 3 })).await;
    let mut titles = Vec::new();
    for number in 0..7 {
        let member = [MINA, JO][number % 2];
        square.written(member, &format!("post {number}")).await;
        titles.insert(0, format!("post {number}"));
    }
    let mut read = Vec::new();
    let mut sizes = Vec::new();
    let mut query = String::new();
    loop {
        let page = square.page(&query).await;
        let items = page["items"].as_array().unwrap();
        sizes.push(items.len());
        read.extend(
            items
                .iter()
                .map(|post| post["title"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        // What is written meanwhile does not move the pages behind.
        square.written(MINA, "newer").await;
        query = format!("?cursor={cursor}");
    }
    assert_eq!(read, titles);
    assert_eq!(sizes, [3, 3, 1]);
    let all = square.page("?limit=100").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 9);
    for (query, code) in [
        ("?limit=0", "invalid_limit"),
        ("?limit=101", "invalid_limit"),
        ("?limit=x", "invalid_query"),
        ("?cursor=x", "invalid_cursor"),
    ] {
        let answer = square.get(&format!("/api/posts{query}")).await;
        assert_problem(answer, 400, code).await;
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_not_written() {
    let square = open().await;
    let refused = [
        (json!({ "title": " ", "body": "x" }), "invalid_title"),
        (json!({ "title": "a\nb", "body": "x" }), "invalid_title"),
        (
            json!({ "title": "가".repeat(121), "body": "x" }),
            "invalid_title",
        ),
        (json!({ "title": "x", "body": "\n" }), "invalid_body"),
        (
            json!({ "title": "x", "body": "a".repeat(10_001) }),
            "invalid_body",
        ),
        (json!({ "title": "x" }), "invalid_fields"),
        (
            json!({ "title": "x", "body": "x", "user_id": JO }),
            "invalid_fields",
        ),
    ];
    for (draft, code) in refused {
        let answer = square.write(MINA, &draft).send().await.unwrap();
        assert_problem(answer, 422, code).await;
    }
    let long = json!({ "title": "가".repeat(120), "body": "가".repeat(10_000) });
    let answer = square.write(MINA, &long).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let url = format!("{}/api/posts", square.service.url);
    let anonymous = square.service.http.post(&url).json(&draft("x"));
    assert_problem(anonymous.send().await.unwrap(), 401, "missing_token").await;
    let stranger = square
        .service
        .http
        .post(&url)
        .bearer_auth("x")
        .json(&draft("x"));
    assert_problem(stranger.send().await.unwrap(), 401, "token_malformed").await;
    assert_eq!(square.page("").await["items"].as_array().unwrap().len(), 1);

    let unknown = square
        .get("/api/posts/00000000-0000-7000-8000-000000000000")
        .await;
    assert_problem(unknown, 404, "unknown_post").await;
    let nonsense = square.get("/api/posts/7").await;
    assert_problem(nonsense, 400, "invalid_path").await;
}

#[tokio::test]
async fn replicas_share_the_board() {
    let town = Town::new();
    let users = Users::start(&town).await;
    let one = start(&town, &users, json!({})).await;
    let two = start(&town, &users, json!({})).await;
    let mut ids = Vec::new();
    for (number, service) in [&one, &two, &one, &two].into_iter().enumerate() {
        let written = write(service, JO, &draft(&number.to_string()));
        let post: Value = written.send().await.unwrap().json().await.unwrap();
        ids.insert(0, post["id"].clone());
    }
    for service in [&one, &two] {
        let page = crate::square::get(service, "/api/posts").await;
        let page: Value = page.json().await.unwrap();
        let items = page["items"].as_array().unwrap().iter();
        let mut read: Vec<_> = items.map(|post| post["id"].clone()).collect();
        // Within a millisecond the ids of two processes come in any order.
        read.sort_by_key(Value::to_string);
        ids.sort_by_key(Value::to_string);
        assert_eq!(read, ids);
    }
}

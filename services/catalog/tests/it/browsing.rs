use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::Value;

use crate::shop::open;
use testing::assert_problem;

#[tokio::test]
async fn the_first_products_are_there() {
    let shop = open().await;
    let page = shop.list(&[]).await;
    let items = page["items"].as_array().unwrap();
    assert_eq!(items.len(), 20);
    for item in items {
        for text in ["name", "description"] {
            for language in ["ko", "en"] {
                assert!(!item[text][language].as_str().unwrap().is_empty(), "{item}");
            }
        }
        assert_eq!(item["price"]["currency"], "KRW");
        assert!(item["price"]["amount"].as_i64().unwrap() > 0);
        assert_eq!(item["version"], 1);
        assert!(
            item["updated_at"].as_str().unwrap().ends_with('Z'),
            "{item}"
        );
    }
    let id = items[0]["id"].as_str().unwrap();
    let response = shop.get(&format!("/api/products/{id}")).await;
    assert_eq!(response.headers()["etag"], "\"1\"");
    assert_eq!(response.json::<Value>().await.unwrap(), items[0]);
}

#[tokio::test]
async fn pages_hold_each_product_once() {
    let shop = open().await;
    for (parameters, expected) in [
        (&[("limit", "17")][..], Some(300)),
        (&[("limit", "7"), ("category", "food")], Some(30)),
        (&[("limit", "3"), ("query", "커피")], None),
        (
            &[("limit", "100"), ("query", "coffee"), ("category", "food")],
            None,
        ),
        (&[("limit", "10"), ("query", "없는상품이름")], Some(0)),
        (&[("limit", "10"), ("category", "nowhere")], Some(0)),
    ] {
        let ids = shop.walk(parameters).await;
        let unique: BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{parameters:?}");
        match expected {
            Some(expected) => assert_eq!(ids.len(), expected, "{parameters:?}"),
            None => assert!(!ids.is_empty(), "{parameters:?}"),
        }
    }
}

#[tokio::test]
async fn searches_understand_both_languages() {
    let shop = open().await;
    for (query, part) in [
        ("wireless", "Wireless"),
        ("WIREL", "Wireless"),
        ("무선", "Wireless"),
        ("headphone", "Headphones"),
        ("머그컵", "Mug"),
        ("냄", "Pot"),
        ("무선 mouse", "Wireless Mouse"),
    ] {
        let names = shop.names(query).await;
        assert!(!names.is_empty(), "{query}");
        assert!(names[0].contains(part), "{query}: {names:?}");
    }
}

#[tokio::test]
async fn categories_say_what_they_hold() {
    let shop = open().await;
    let response = shop.get("/api/categories").await;
    let body: Value = response.json().await.unwrap();
    let items = body["items"].as_array().unwrap();
    assert_eq!(items.len(), 10);
    assert_eq!(items[0]["id"], "electronics");
    assert_eq!(items[0]["name"]["ko"], "전자제품");
    assert!(items.iter().all(|item| item["products"] == 30), "{body}");
}

#[tokio::test]
async fn bad_questions_get_a_problem() {
    let shop = open().await;
    let cursor = shop.list(&[("query", "coffee"), ("limit", "1")]).await["next_cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let long = "a".repeat(10_000);
    let long_korean = "가".repeat(1_000);
    for (parameters, code) in [
        (&[("query", long.as_str())][..], "query_too_long"),
        (&[("query", &long_korean)], "query_too_long"),
        (&[("limit", "0")], "invalid_limit"),
        (&[("limit", "101")], "invalid_limit"),
        (&[("limit", "-1")], "invalid_query"),
        (&[("limit", "ten")], "invalid_query"),
        (&[("limit", "1"), ("limit", "2")], "invalid_query"),
        (&[("cursor", "")], "invalid_cursor"),
        (&[("cursor", "AAAA")], "invalid_cursor"),
        (&[("cursor", "not/base64")], "invalid_cursor"),
        (&[("cursor", &cursor), ("query", "tea")], "invalid_cursor"),
        (
            &[
                ("cursor", &cursor),
                ("query", "coffee"),
                ("category", "food"),
            ],
            "invalid_cursor",
        ),
    ] {
        assert_problem(shop.try_list(parameters).await, 400, code).await;
    }
    let same = shop
        .try_list(&[("cursor", &cursor), ("query", "coffee")])
        .await;
    assert_eq!(same.status(), StatusCode::OK);
    let unknown = "/api/products/00000000-0000-7000-8000-000000000000";
    assert_problem(shop.get(unknown).await, 404, "unknown_product").await;
    assert_problem(shop.get("/api/products/abc").await, 400, "invalid_path").await;
}

#[tokio::test]
async fn a_query_is_only_text() {
    let shop = open().await;
    for query in [
        "*",
        "\"",
        "(((",
        "name:coffee",
        "coffee AND",
        "-coffee",
        "[a TO z]",
        "a\u{0}b",
        "\u{202e}abc",
        "%00%ff",
        "'; DROP TABLE products; --",
        "../../etc/passwd",
        "🙂",
        "\u{1}\u{2}\u{3}",
        "a b c d e f g",
    ] {
        shop.list(&[("query", query)]).await;
    }
    // An empty query asks for nothing in particular.
    assert_eq!(shop.list(&[("query", "  ")]).await, shop.list(&[]).await);
}

#[tokio::test]
async fn a_known_product_is_not_sent_again() {
    let shop = open().await;
    let id = &shop.walk(&[("limit", "100"), ("category", "books")]).await[0];
    let url = format!("{}/api/products/{id}", shop.service.url);
    let known = shop.service.http.get(url).header("if-none-match", "\"1\"");
    let response = known.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(response.headers()["etag"], "\"1\"");
}

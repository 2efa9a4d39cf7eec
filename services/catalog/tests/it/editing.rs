use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::shop::{draft, open};
use testing::assert_problem;

#[tokio::test]
async fn an_edit_is_seen_at_once() {
    let shop = open().await;
    let added = shop.add("황금 거위", "Golden Goose").await;
    let id = added["id"].as_str().unwrap();
    assert_eq!(shop.names("golden goose").await, ["Golden Goose"]);
    assert_eq!(shop.names("황금거위").await, ["Golden Goose"]);
    assert_eq!(shop.list(&[("limit", "1")]).await["items"][0], added);

    let path = format!("/{id}");
    let edited = shop
        .send(
            Method::PUT,
            &path,
            &[("if-match", "\"1\"")],
            Some(&draft("은 거위", "Silver Goose")),
        )
        .await;
    assert_eq!(edited.status(), StatusCode::OK);
    assert_eq!(edited.headers()["etag"], "\"2\"");
    assert!(shop.names("golden").await.is_empty());
    assert_eq!(shop.names("silver").await, ["Silver Goose"]);

    let deleted = shop.send(Method::DELETE, &path, &[], None).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    assert!(shop.names("silver").await.is_empty());
    assert_problem(
        shop.get(&format!("/api/products/{id}")).await,
        404,
        "unknown_product",
    )
    .await;
    let again = shop.send(Method::DELETE, &path, &[], None).await;
    assert_problem(again, 404, "unknown_product").await;
    let revived = shop
        .send(
            Method::PUT,
            &path,
            &[("if-match", "*")],
            Some(&draft("가", "a")),
        )
        .await;
    assert_problem(revived, 404, "unknown_product").await;
}

#[tokio::test]
async fn an_edit_names_the_version_it_is_based_on() {
    let shop = open().await;
    let response = shop
        .send(Method::POST, "", &[], Some(&draft("가", "One")))
        .await;
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(response.headers()["etag"], "\"1\"");
    let added: Value = response.json().await.unwrap();
    assert_eq!(
        shop.get(&location).await.json::<Value>().await.unwrap(),
        added
    );

    let path = format!("/{}", added["id"].as_str().unwrap());
    let two = draft("나", "Two");
    let put = |headers| shop.send(Method::PUT, &path, headers, Some(&two));
    assert_problem(put(&[]).await, 428, "if_match_required").await;
    assert_problem(put(&[("if-match", "1")]).await, 400, "invalid_if_match").await;
    assert_eq!(put(&[("if-match", "\"1\"")]).await.status(), StatusCode::OK);
    let stale = put(&[("if-match", "\"1\"")]).await;
    assert_eq!(stale.headers()["etag"], "\"2\"");
    assert_problem(stale, 412, "version_conflict").await;
    assert_eq!(put(&[("if-match", "*")]).await.status(), StatusCode::OK);
    let stale = shop
        .send(Method::DELETE, &path, &[("if-match", "\"2\"")], None)
        .await;
    assert_problem(stale, 412, "version_conflict").await;
    let current = shop
        .send(Method::DELETE, &path, &[("if-match", "\"3\"")], None)
        .await;
    assert_eq!(current.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn of_two_editors_one_wins() {
    let shop = open().await;
    let added = shop.add("가", "Contested").await;
    let path = format!("/{}", added["id"].as_str().unwrap());
    let edit = draft("나", "Won");
    let put = || shop.send(Method::PUT, &path, &[("if-match", "\"1\"")], Some(&edit));
    let (a, b, c) = tokio::join!(put(), put(), put());
    let mut statuses = [a, b, c].map(|response| response.status().as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412]);
}

#[tokio::test]
async fn a_product_keeps_the_rules() {
    let shop = open().await;
    let with = |pointer: &str, value: Value| {
        let mut draft = draft("가", "a");
        *draft.pointer_mut(pointer).unwrap() = value;
        draft
    };
    for (body, code) in [
        (with("/name/en", json!("")), "invalid_product"),
        (with("/name/ko", json!("\u{0}")), "invalid_product"),
        (
            with("/name/en", json!("x".repeat(10_000))),
            "invalid_product",
        ),
        (with("/price/amount", json!(0)), "invalid_product"),
        (with("/price/amount", json!(-1)), "invalid_product"),
        (with("/category", json!("nowhere")), "unknown_category"),
        (with("/price/amount", json!(1.5)), "invalid_fields"),
        (with("/price/currency", json!("XYZ")), "invalid_fields"),
        (with("/name", json!("a")), "invalid_fields"),
        (json!({}), "invalid_fields"),
    ] {
        let response = shop.send(Method::POST, "", &[], Some(&body)).await;
        assert_problem(response, 422, code).await;
    }
    let mut unknown_field = draft("가", "a");
    unknown_field["version"] = json!(7);
    let response = shop.send(Method::POST, "", &[], Some(&unknown_field)).await;
    assert_problem(response, 422, "invalid_fields").await;
    assert_eq!(shop.walk(&[("limit", "100")]).await.len(), 300);
}

#[tokio::test]
async fn only_admins_edit() {
    let shop = open().await;
    let member = shop.service.town().member_token("0198-member", &[]);
    let path = "/00000000-0000-7000-8000-000000000000";
    for (method, path) in [
        (Method::POST, ""),
        (Method::PUT, path),
        (Method::DELETE, path),
    ] {
        let body = draft("가", "a");
        for (authorization, status, code) in [
            (format!("Bearer {member}"), 403, "forbidden"),
            ("Basic YTpi".to_owned(), 401, "missing_token"),
        ] {
            let headers = [("authorization", authorization.as_str()), ("if-match", "*")];
            let response = shop.send(method.clone(), path, &headers, Some(&body)).await;
            assert_problem(response, status, code).await;
        }
    }
}

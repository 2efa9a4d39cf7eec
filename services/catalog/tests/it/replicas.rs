use reqwest::{Method, StatusCode};
use serde_json::json;
use sqlx::Connection as _;
use testing::{Town, assert_problem, eventually};

use crate::shop::{draft, open_in};

/// Two instances on one store, started together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_fill_the_store_once_and_follow_each_other() {
    let town = Town::new();
    let settings = json!({ "seed_products": 50 });
    let (a, b) = tokio::join!(open_in(&town, settings.clone()), open_in(&town, settings));
    let ids = a.walk(&[("limit", "7")]).await;
    assert_eq!(ids.len(), 50);
    assert_eq!(b.walk(&[("limit", "7")]).await, ids);

    let added = a.add("황금 거위", "Golden Goose").await;
    let path = format!("/{}", added["id"].as_str().unwrap());
    let has = async |expected: &[&str], query| (b.names(query).await == expected).then_some(());
    eventually("an added product", async || {
        has(&["Golden Goose"], "goose").await
    })
    .await;

    let edit = draft("은 거위", "Silver Goose");
    let edited = a
        .send(Method::PUT, &path, &[("if-match", "\"1\"")], Some(&edit))
        .await;
    assert_eq!(edited.status(), StatusCode::OK);
    eventually("an edited product", async || {
        has(&["Silver Goose"], "goose").await
    })
    .await;

    // An edit here counts on from the one there.
    let stale = b
        .send(Method::PUT, &path, &[("if-match", "\"1\"")], Some(&edit))
        .await;
    assert_eq!(stale.status(), StatusCode::PRECONDITION_FAILED);

    let deleted = a.send(Method::DELETE, &path, &[], None).await;
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    eventually("a deleted product", async || has(&[], "goose").await).await;

    // A cursor of one is good in the other.
    let first = a.list(&[("query", "습니다"), ("limit", "2")]).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = [("query", "습니다"), ("limit", "2"), ("cursor", cursor)];
    assert_eq!(a.list(&next).await, b.list(&next).await);
}

#[tokio::test]
async fn a_store_is_filled_only_when_it_is_new() {
    let town = Town::new();
    let shop = open_in(&town, json!({ "seed_products": 3 })).await;
    for id in shop.walk(&[]).await {
        shop.send(Method::DELETE, &format!("/{id}"), &[], None)
            .await;
    }
    shop.service.stop().await;
    let shop = open_in(&town, json!({ "seed_products": 3 })).await;
    assert!(
        shop.walk(&[]).await.is_empty(),
        "what was deleted stays deleted"
    );

    let empty = open_in(&Town::new(), json!({ "seed_products": 0 })).await;
    assert!(empty.walk(&[]).await.is_empty());
}

#[tokio::test]
async fn the_same_seed_makes_the_same_shop() {
    let ids = async |seed| {
        let settings = json!({ "seed": seed, "seed_products": 20 });
        open_in(&Town::new(), settings).await.walk(&[]).await
    };
    assert_eq!(ids(5).await, ids(5).await);
    assert_ne!(ids(5).await, ids(6).await);
}

/// As a newer replica would, that trades in a currency this one does not know.
#[tokio::test]
async fn a_row_that_cannot_be_read_holds_nothing_up() {
    let town = Town::new();
    let settings = json!({ "seed_products": 3 });
    let shop = open_in(&town, settings).await;
    let strange = &shop.walk(&[]).await[0];

    sqlx::any::install_default_drivers();
    let file = format!("sqlite://{}/catalog.db", town.folder().display());
    let mut rows = sqlx::AnyConnection::connect(&file).await.unwrap();
    sqlx::query("UPDATE products SET price_currency = 'XYZ', revision = 4 WHERE id = $1")
        .bind(strange)
        .execute(&mut rows)
        .await
        .unwrap();
    sqlx::query("UPDATE catalog_head SET revision = 4")
        .execute(&mut rows)
        .await
        .unwrap();

    shop.add("황금 거위", "Golden Goose").await;
    let ids = shop.walk(&[]).await;
    assert_eq!(ids.len(), 3);
    assert!(!ids.contains(strange));
    let response = shop.get(&format!("/api/products/{strange}")).await;
    assert_problem(response, 500, "internal").await;
}

/// As when a replica was held up for longer than events are kept.
#[tokio::test]
async fn a_replica_that_missed_events_learns_all_from_the_rows() {
    let town = Town::new();
    let shop = open_in(&town, json!({ "seed_products": 3 })).await;
    let ids = shop.walk(&[]).await;
    sqlx::any::install_default_drivers();
    let file = format!("sqlite://{}/catalog.db", town.folder().display());
    let mut rows = sqlx::AnyConnection::connect(&file).await.unwrap();
    let mut edits = rows.begin().await.unwrap();
    for statement in [
        "UPDATE products SET name_en = 'Goose', name_ko = '거위', revision = 4 WHERE revision = 1",
        "UPDATE products SET deleted = 1, revision = 5 WHERE revision = 2",
        "UPDATE catalog_head SET revision = 5",
        "UPDATE feed_head SET position = position + 2, truncated_position = position + 2",
    ] {
        sqlx::query(statement).execute(&mut *edits).await.unwrap();
    }
    edits.commit().await.unwrap();
    eventually("edits whose events are gone", async || {
        let is_there = shop.names("goose").await == ["Goose"];
        (is_there && shop.walk(&[]).await.len() == ids.len() - 1).then_some(())
    })
    .await;
    // And it goes on behind what it has missed.
    shop.add("은 거위", "Silver Goose").await;
    let other = open_in(&town, json!({})).await;
    other.add("금 거위", "Golden Goose").await;
    eventually("an edit made elsewhere", async || {
        (shop.names("golden").await == ["Golden Goose"]).then_some(())
    })
    .await;
}

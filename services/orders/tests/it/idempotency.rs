use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::Connection as _;
use testing::{assert_problem, eventually};

use crate::peers::Mood::HangsBefore;
use crate::shop::{MINA, get, open, open_with};

#[tokio::test]
async fn a_key_is_needed_and_has_a_form() {
    let shop = open().await;
    let url = format!("{}/api/orders", shop.service.url);
    let token = shop.service.town().member_token(MINA, &[]);
    let post = || shop.service.http.post(&url).bearer_auth(&token);
    let response = post().send().await.unwrap();
    assert_problem(response, 400, "idempotency_key_required").await;
    for bad in ["", "a b", &"x".repeat(256)] {
        let response = post().header("idempotency-key", bad).send().await;
        assert_problem(response.unwrap(), 400, "invalid_idempotency_key").await;
    }
    let two = post().header("idempotency-key", "a");
    let two = two.header("idempotency-key", "b").send().await.unwrap();
    assert_problem(two, 400, "invalid_idempotency_key").await;
    assert_eq!(shop.peers.times_asked("cart"), 0);
    for (body, status, code) in [
        ("{", 400, "invalid_json"),
        ("{\"note\": 7}", 422, "invalid_fields"),
        ("{\"price\": 1}", 422, "invalid_fields"),
    ] {
        let request = post().header("idempotency-key", "a").body(body);
        let response = request.header("content-type", "application/json").send();
        assert_problem(response.await.unwrap(), status, code).await;
    }
    let long = json!({ "note": "가".repeat(501) });
    let response = shop.order_as(MINA, "a").json(&long).send().await.unwrap();
    assert_problem(response, 422, "note_too_long").await;
}

#[tokio::test]
async fn the_same_request_has_the_same_answer() {
    let shop = open().await;
    let note = json!({ "note": "ring" });
    let first = shop.order("k").json(&note).send().await.unwrap();
    let location = first.headers()["location"].clone();
    let first: Value = first.json().await.unwrap();

    // Whatever is in the cart now.
    let again = shop.order("k").json(&note).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.headers()["location"], location);
    assert_eq!(again.headers()["content-type"], "application/json");
    assert_eq!(again.json::<Value>().await.unwrap(), first);

    let other = json!({ "note": "knock" });
    let other = shop.order("k").json(&other).send().await.unwrap();
    assert_problem(other, 422, "idempotency_key_reused").await;
    let bare = shop.order("k").send().await.unwrap();
    assert_problem(bare, 422, "idempotency_key_reused").await;
    assert_eq!(shop.peers.times_asked("charge"), 1);

    // Another member's key is another key.
    shop.peers.fill_cart("0198-jun", &[(shop.mug, 1)]);
    let jun = shop.order_as("0198-jun", "k").send().await.unwrap();
    assert_eq!(jun.status(), StatusCode::CREATED);
    assert_ne!(jun.headers()["location"], location);
}

#[tokio::test]
async fn without_a_note_no_body_and_an_empty_one_are_the_same() {
    let shop = open().await;
    let bare = shop.order("k").send().await.unwrap();
    assert_eq!(bare.status(), StatusCode::CREATED);
    let empty = shop.order("k").json(&json!({})).send().await.unwrap();
    assert_eq!(empty.headers()["idempotency-replayed"], "true");
}

#[tokio::test]
async fn of_twenty_at_once_one_orders() {
    let shop = open().await;
    let mut orders = tokio::task::JoinSet::new();
    for _ in 0..20 {
        orders.spawn(shop.order("k").send());
    }
    let mut placed = BTreeSet::new();
    let mut first = 0;
    while let Some(response) = orders.join_next().await {
        let response = response.unwrap().unwrap();
        if response.status() == StatusCode::CONFLICT {
            assert_eq!(response.headers()["retry-after"], "1");
            assert_problem(response, 409, "idempotency_key_in_use").await;
            continue;
        }
        assert_eq!(response.status(), StatusCode::CREATED);
        first += u32::from(!response.headers().contains_key("idempotency-replayed"));
        let order: Value = response.json().await.unwrap();
        placed.insert(order["id"].as_str().unwrap().to_owned());
    }
    assert_eq!((placed.len(), first), (1, 1));
    assert_eq!(shop.peers.world().book.len(), 1);
    let listed: Value = shop.get("/api/orders").await.json().await.unwrap();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_is_in_use_until_its_request_is_answered() {
    let shop = open().await;
    shop.peers.next("reserve", &[HangsBefore]);
    let first = tokio::spawn(shop.order("k").send());
    shop.peers.asked("reserve", 1).await;
    let second = shop.order("k").send().await.unwrap();
    assert_problem(second, 409, "idempotency_key_in_use").await;
    // What was asked for first decides what another request is, before it is answered too.
    let other = shop.order("k").json(&json!({ "note": "knock" })).send();
    assert_problem(other.await.unwrap(), 422, "idempotency_key_reused").await;
    let first: Value = first.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(first["status"], "confirmed");
    let replay = shop.order("k").send().await.unwrap();
    assert_eq!(replay.json::<Value>().await.unwrap(), first);
}

#[tokio::test]
async fn a_key_is_kept_for_its_time_and_then_free() {
    let shop = open().await;
    let first: Value = shop.order("k").send().await.unwrap().json().await.unwrap();
    sqlx::any::install_default_drivers();
    let folder = shop.service.town().folder().display().to_string();
    let mut rows = sqlx::AnyConnection::connect(&format!("sqlite://{folder}/orders.db"))
        .await
        .unwrap();
    let kept = "SELECT (expires_at - answer_by) / 3600000000 FROM idempotency_keys";
    let hours: i64 = sqlx::query_scalar(kept).fetch_one(&mut rows).await.unwrap();
    assert_eq!(hours, 23, "24 hours, and an answer within seconds");
    sqlx::query("UPDATE idempotency_keys SET expires_at = 1")
        .execute(&mut rows)
        .await
        .unwrap();
    let later = shop.order("k").send().await.unwrap();
    assert!(!later.headers().contains_key("idempotency-replayed"));
    let later: Value = later.json().await.unwrap();
    assert_ne!(later["id"], first["id"]);

    // Expired keys of others are cleared away with the next order.
    sqlx::query("UPDATE idempotency_keys SET expires_at = 1")
        .execute(&mut rows)
        .await
        .unwrap();
    shop.ordered("another").await;
    let left = "SELECT COUNT(*) FROM idempotency_keys";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&mut rows).await.unwrap();
    assert_eq!(left, 1);
}

/// Whoever placed an order may die before it answers; the key is answered all the same.
#[tokio::test]
async fn a_request_whose_instance_died_can_be_repeated() {
    let shop = open_with(json!({ "answer_within_ms": 200 })).await;
    shop.peers.always("charge", Some(HangsBefore));
    let pending: Value = shop.order("k").send().await.unwrap().json().await.unwrap();
    sqlx::any::install_default_drivers();
    let folder = shop.service.town().folder().display().to_string();
    let mut rows = sqlx::AnyConnection::connect(&format!("sqlite://{folder}/orders.db"))
        .await
        .unwrap();
    let mut forget = async |answer_by: i64| {
        sqlx::query("UPDATE idempotency_keys SET status = NULL, body = NULL, answer_by = $1")
            .bind(answer_by)
            .execute(&mut rows)
            .await
            .unwrap();
    };
    // It may still answer.
    forget(i64::MAX).await;
    let early = shop.order("k").send().await.unwrap();
    assert_problem(early, 409, "idempotency_key_in_use").await;
    // It will not any more, and the order is still under way.
    forget(1).await;
    let repeated = shop.order("k").send().await.unwrap();
    assert_eq!(repeated.status(), StatusCode::ACCEPTED);
    assert_eq!(repeated.headers()["idempotency-replayed"], "true");
    assert_eq!(repeated.json::<Value>().await.unwrap()["id"], pending["id"]);
    // The order ends before anybody has answered.
    forget(i64::MAX).await;
    shop.peers.always("charge", None);
    let order = shop.ended(&pending).await;
    let path = format!("/api/orders/{}", order["id"].as_str().unwrap());
    eventually("the end is the answer", async || {
        let repeated = shop.order("k").send().await.unwrap();
        (repeated.status() == StatusCode::CREATED).then_some(())
    })
    .await;
    let shown: Value = get(&shop.service, MINA, &path).await.json().await.unwrap();
    assert_eq!(shown["status"], "confirmed");
}

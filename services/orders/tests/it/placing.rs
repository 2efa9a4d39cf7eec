use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use testing::{assert_problem, eventually};
use uuid::Uuid;

use crate::peers::Mood::{FailsAfter, FailsBefore, HangsAfter, HangsBefore, Refuses};
use crate::shop::{MINA, open, open_with};

#[tokio::test]
async fn an_order_is_paid_sold_and_told_at_once() {
    let shop = open().await;
    let response = shop
        .order("k1")
        .json(&json!({ "note": "ring twice" }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    assert!(!response.headers().contains_key("idempotency-replayed"));
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let order: Value = response.json().await.unwrap();
    assert_eq!(order["status"], "confirmed");
    assert_eq!(order["note"], "ring twice");
    assert_eq!(
        order["total"],
        json!({ "amount": 25_800, "currency": "KRW" })
    );
    assert_eq!(
        order["items"],
        json!([{ "product_id": shop.mug, "name": { "ko": "컵", "en": "Mug" }, "quantity": 2,
            "price": { "amount": 12_900, "currency": "KRW" } }])
    );
    assert_eq!(
        location,
        format!("/api/orders/{}", order["id"].as_str().unwrap())
    );
    let shown: Value = shop.get(&location).await.json().await.unwrap();
    assert_eq!(shown, order);
    let history = shop.history(&order).await;
    assert_eq!(history, ["placed", "reserved", "charged", "confirmed"]);

    shop.peers.assert_settled(&order);
    let world = shop.peers.world();
    assert_eq!(world.on_hand[&shop.mug], 98);
    assert_eq!(world.sold[&shop.mug], 2);
    assert!(
        world.carts[MINA].0.is_empty(),
        "what was ordered is not in the cart any more"
    );
}

#[tokio::test]
async fn an_order_that_cannot_stand_is_undone_and_says_why() {
    let shop = open().await;
    for (what, status, code, reason, history) in [
        (
            "reserve",
            409,
            "out_of_stock",
            "out_of_stock",
            &[
                "placed",
                "reservation_refused",
                "compensating",
                "released",
                "cancelled",
            ][..],
        ),
        (
            "charge",
            402,
            "payment_declined",
            "payment_declined",
            &[
                "placed",
                "reserved",
                "charge_declined",
                "compensating",
                "released",
                "cancelled",
            ],
        ),
        (
            "confirm",
            409,
            "reservation_expired",
            "reservation_expired",
            &[
                "placed",
                "reserved",
                "charged",
                "compensating",
                "refunded",
                "released",
                "cancelled",
            ],
        ),
    ] {
        shop.peers.next(what, &[Refuses(status, code)]);
        let response = shop.order(code).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let order: Value = response.json().await.unwrap();
        assert_eq!(order["status"], "cancelled");
        assert_eq!(order["reason"], reason);
        assert_eq!(shop.history(&order).await, history);
        shop.peers.assert_settled(&order);
        let world = shop.peers.world();
        assert_eq!(world.on_hand[&shop.mug], 100);
        assert!(
            !world.carts[MINA].0.is_empty(),
            "the cart stays for another try"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_ordered_starts_nothing_and_leaves_the_key_free() {
    let shop = open().await;
    let order = || shop.order_as(MINA, "k").send();
    assert_problem(order().await.unwrap(), 422, "cart_empty").await;
    let gone = Uuid::now_v7();
    shop.peers.fill_cart(MINA, &[(shop.mug, 1), (gone, 1)]);
    let response = order().await.unwrap();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "unknown_product");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains(&gone.to_string())
    );

    shop.peers.fill_cart(MINA, &[(shop.mug, 1)]);
    for (what, code) in [
        ("cart", "cart_unavailable"),
        ("prices", "catalog_unavailable"),
    ] {
        for mood in [FailsBefore, HangsBefore] {
            shop.peers.always(what, Some(mood));
            let response = order().await.unwrap();
            assert_eq!(response.headers()["retry-after"], "1");
            assert_problem(response, 503, code).await;
        }
        shop.peers.always(what, None);
    }
    let listed: Value = shop.get("/api/orders").await.json().await.unwrap();
    assert_eq!(listed["items"], json!([]));
    assert_eq!(shop.peers.times_asked("reserve"), 0);

    // A breaker that has opened meanwhile closes again.
    eventually("the key is free", async || {
        (order().await.unwrap().status() == StatusCode::CREATED).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_order_is_answered_within_its_budget_and_goes_on() {
    let shop = open_with(json!({ "answer_within_ms": 300 })).await;
    shop.peers.always("charge", Some(HangsAfter));
    let began = Instant::now();
    let response = shop.order("slow").send().await.unwrap();
    let took = began.elapsed();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert!(response.headers().contains_key("location"));
    let pending: Value = response.json().await.unwrap();
    assert_eq!(pending["status"], "pending");
    // The edge's own deadline is 2 s: the answer waited for its budget alone.
    assert!(took < Duration::from_millis(1_500), "{took:?}");

    shop.peers.always("charge", None);
    let order = shop.ended(&pending).await;
    assert_eq!(order["status"], "confirmed");
    shop.peers.assert_settled(&order);

    // The answer of the first request stays what it was.
    let replay = shop.order("slow").send().await.unwrap();
    assert_eq!(replay.status(), StatusCode::ACCEPTED);
    assert_eq!(replay.headers()["idempotency-replayed"], "true");
    assert_eq!(replay.json::<Value>().await.unwrap(), pending);
}

#[tokio::test]
async fn a_request_in_a_hurry_is_answered_in_time() {
    let shop = open().await;
    shop.peers.always("charge", Some(HangsBefore));
    let began = Instant::now();
    let order = shop.order("hurry").header("citywatch-timeout-ms", "600");
    let response = order.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert!(began.elapsed() < Duration::from_secs(2));
    shop.peers.always("charge", None);
    let order = shop.ended(&response.json().await.unwrap()).await;
    shop.peers.assert_settled(&order);
}

#[tokio::test]
async fn an_order_goes_on_when_its_member_hangs_up() {
    let shop = open().await;
    shop.peers.next("reserve", &[HangsBefore]);
    let order = shop.order("hung-up").send();
    let hung_up = tokio::select! {
        _ = order => false,
        () = shop.peers.asked("reserve", 1) => true,
    };
    assert!(hung_up);
    let order = eventually("the order ends", async || {
        let list: Value = shop.get("/api/orders").await.json().await.unwrap();
        let order = list["items"][0].clone();
        (order["status"] == "confirmed").then_some(order)
    })
    .await;
    shop.peers.assert_settled(&order);
}

#[tokio::test]
async fn nobody_is_charged_long_after_the_order() {
    for (what, mood) in [
        ("reserve", FailsBefore),
        ("reserve", FailsAfter),
        ("charge", FailsBefore),
        ("charge", FailsAfter),
    ] {
        let settings = json!({ "answer_within_ms": 50, "give_up_ms": 200 });
        let shop = open_with(settings).await;
        shop.peers.always(what, Some(mood));
        let order = shop.ordered("late").await;
        assert_eq!(order["status"], "cancelled", "{what} {mood:?}");
        assert_eq!(order["reason"], "gave_up");
        shop.peers.assert_settled(&order);
        assert_eq!(shop.peers.world().on_hand[&shop.mug], 100);
    }
}

#[tokio::test]
async fn what_was_paid_is_not_given_up() {
    let shop = open_with(json!({ "answer_within_ms": 50, "give_up_ms": 1 })).await;
    shop.peers.next("confirm", &[FailsBefore; 4]);
    let order = shop.ordered("patient").await;
    assert_eq!(order["status"], "confirmed");
    shop.peers.assert_settled(&order);
}

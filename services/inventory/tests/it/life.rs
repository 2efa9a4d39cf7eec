//! The life of a reservation; each request is sent twice, as one whose answer was lost is.

use serde_json::{Value, json};
use testing::{Town, assert_problem, eventually};

use crate::warehouse::{id, ok, open, open_in};

#[tokio::test]
async fn what_is_reserved_and_confirmed_is_sold_once() {
    let warehouse = open().await;
    let (order, one, other) = (id(), id(), id());
    let response = warehouse.reserve(&order, &[(&one, 3), (&other, 1)]).await;
    assert_eq!(response.status(), 201);
    let held: Value = response.json().await.unwrap();
    assert_eq!(held["state"], "held");
    assert_eq!(held["order_id"], *order);
    assert_eq!(held["items"].as_array().unwrap().len(), 2);
    // In another order they are the same items.
    let again = ok(warehouse.reserve(&order, &[(&other, 1), (&one, 3)]).await).await;
    assert_eq!(again, held);
    assert_eq!(warehouse.units(&one).await, [997, 3, 0]);
    assert_eq!(warehouse.units(&other).await, [999, 1, 0]);

    let confirmed = ok(warehouse.confirm(&order).await).await;
    assert_eq!(confirmed["state"], "confirmed");
    assert_eq!(ok(warehouse.confirm(&order).await).await, confirmed);
    let late = ok(warehouse.reserve(&order, &[(&one, 3), (&other, 1)]).await).await;
    assert_eq!(late, confirmed);
    for _ in 0..2 {
        assert_problem(
            warehouse.release(&order).await,
            409,
            "reservation_confirmed",
        )
        .await;
    }
    assert_eq!(warehouse.units(&one).await, [997, 0, 3]);
    assert_eq!(warehouse.units(&other).await, [999, 0, 1]);
}

#[tokio::test]
async fn what_is_released_is_on_sale_again_once() {
    let warehouse = open().await;
    let (order, product) = (id(), id());
    let items: &[(&str, i64)] = &[(&product, 3)];
    warehouse.reserve(&order, items).await;
    let released = ok(warehouse.release(&order).await).await;
    assert_eq!(released["state"], "released");
    assert_eq!(ok(warehouse.release(&order).await).await, released);
    assert_eq!(warehouse.units(&product).await, [1000, 0, 0]);
    for _ in 0..2 {
        let late = warehouse.reserve(&order, items).await;
        assert_problem(late, 409, "reservation_released").await;
        let late = warehouse.confirm(&order).await;
        assert_problem(late, 409, "reservation_released").await;
    }
    assert_eq!(warehouse.units(&product).await, [1000, 0, 0]);
}

#[tokio::test]
async fn a_release_that_comes_first_refuses_the_reservation_that_comes_late() {
    let warehouse = open().await;
    let (order, product) = (id(), id());
    for _ in 0..2 {
        let released = ok(warehouse.release(&order).await).await;
        let expected = json!({ "order_id": order, "state": "released", "items": [] });
        assert_eq!(released, expected);
    }
    for _ in 0..2 {
        let late = warehouse.reserve(&order, &[(&product, 3)]).await;
        assert_problem(late, 409, "reservation_released").await;
    }
    assert_eq!(warehouse.units(&product).await, [1000, 0, 0]);
}

#[tokio::test]
async fn what_expires_is_on_sale_again_and_cannot_be_confirmed() {
    let warehouse = open_in(&Town::new(), json!({ "reservation_ttl_ms": 50 })).await;
    let (order, other, product) = (id(), id(), id());
    let items: &[(&str, i64)] = &[(&product, 3)];
    assert_eq!(warehouse.reserve(&order, items).await.status(), 201);
    eventually("it expires", async || {
        (warehouse.units(&product).await == [1000, 0, 0]).then_some(())
    })
    .await;
    for _ in 0..2 {
        let late = warehouse.confirm(&order).await;
        assert_problem(late, 409, "reservation_expired").await;
        let again = ok(warehouse.reserve(&order, items).await).await;
        assert_eq!(again["state"], "expired");
    }
    for _ in 0..2 {
        assert_eq!(
            ok(warehouse.release(&order).await).await["state"],
            "released"
        );
    }
    let late = warehouse.reserve(&order, items).await;
    assert_problem(late, 409, "reservation_released").await;
    // What is confirmed in time stays sold.
    assert_eq!(warehouse.reserve(&other, items).await.status(), 201);
    ok(warehouse.confirm(&other).await).await;
    eventually("time passes", async || {
        let at = ok(warehouse.confirm(&other).await).await["expires_at"].to_string();
        (format!("\"{}\"", app::Timestamp::now()) > at).then_some(())
    })
    .await;
    assert_eq!(warehouse.units(&product).await, [997, 0, 3]);
}

#[tokio::test]
async fn all_items_are_held_or_none() {
    let warehouse = open_in(&Town::new(), json!({ "initial_stock": 5 })).await;
    let (plenty, scarce, gone) = (id(), id(), id());
    assert_eq!(warehouse.set_on_hand(&gone, 0).await.status(), 200);
    let (order, items) = (id(), [(&*plenty, 5), (&*scarce, 6), (&*gone, 1)]);
    for _ in 0..2 {
        let response = warehouse.reserve(&order, &items).await;
        let problem = assert_problem(response, 409, "out_of_stock").await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(&scarce) && detail.contains(&gone));
        assert!(!detail.contains(&plenty));
    }
    assert_eq!(warehouse.units(&plenty).await, [5, 0, 0]);
    assert_eq!(warehouse.units(&scarce).await, [5, 0, 0]);
    // Nothing was kept of it: the order may try again when there is more.
    warehouse.set_on_hand(&scarce, 6).await;
    warehouse.set_on_hand(&gone, 1).await;
    assert_eq!(warehouse.reserve(&order, &items).await.status(), 201);
    assert_eq!(warehouse.units(&scarce).await, [0, 6, 0]);
}

#[tokio::test]
async fn an_order_reserves_the_same_items_for_good() {
    let warehouse = open().await;
    let (order, one, other) = (id(), id(), id());
    warehouse.reserve(&order, &[(&one, 3)]).await;
    let confirmed = id();
    warehouse.reserve(&confirmed, &[(&one, 3)]).await;
    ok(warehouse.confirm(&confirmed).await).await;
    for order in [&order, &confirmed] {
        for items in [&[(&*one, 4)][..], &[(&other, 3)], &[(&one, 3), (&other, 1)]] {
            let response = warehouse.reserve(order, items).await;
            assert_problem(response, 422, "reservation_differs").await;
        }
    }
    assert_eq!(warehouse.units(&one).await, [994, 3, 3]);
    assert_eq!(warehouse.units(&other).await, [1000, 0, 0]);
}

#[tokio::test]
async fn what_is_not_a_reservation_is_refused() {
    let warehouse = open().await;
    let (order, product) = (id(), id());
    let many: Vec<_> = (0..101).map(|_| id()).collect();
    let many: Vec<_> = many.iter().map(|id| (id.as_str(), 1)).collect();
    for (items, code) in [
        (&[][..], "invalid_items"),
        (&[(&*product, 0)], "invalid_items"),
        (&[(&product, 100_001)], "invalid_items"),
        (&[(&product, 1), (&product, 1)], "invalid_items"),
        (&many, "invalid_items"),
        (&[(&product, -1)], "invalid_fields"),
        (&[(&product, 1 << 40)], "invalid_fields"),
        (&[("a", 1)], "invalid_fields"),
    ] {
        assert_problem(warehouse.reserve(&order, items).await, 422, code).await;
    }
    let path = warehouse.reserve("order-1", &[(&product, 1)]).await;
    assert_problem(path, 400, "invalid_path").await;
    for _ in 0..2 {
        let unknown = warehouse.confirm(&order).await;
        assert_problem(unknown, 404, "unknown_reservation").await;
    }
    assert_eq!(
        warehouse.reserve(&order, &[(&product, 1)]).await.status(),
        201
    );
}

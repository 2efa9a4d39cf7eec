use reqwest::Method;
use serde_json::{Value, json};
use testing::{Town, assert_problem};

use crate::warehouse::{id, ok, open, open_in};

#[tokio::test]
async fn an_admin_sets_what_can_be_promised() {
    let warehouse = open_in(&Town::new(), json!({ "initial_stock": 10 })).await;
    let (product, order, sold) = (&*id(), id(), id());
    let untouched = warehouse.admin(Method::GET, &format!("/{product}"));
    let untouched = ok(untouched.send().await.unwrap()).await;
    let stock = |adjusted: i64, on_hand: i64, held: i64, sold: i64| {
        json!({
            "product_id": product, "initial": 10, "adjusted": adjusted,
            "on_hand": on_hand, "held": held, "sold": sold,
        })
    };
    assert_eq!(untouched, stock(0, 10, 0, 0));
    let listed = async || {
        let list = warehouse.admin(Method::GET, "").send().await.unwrap();
        ok(list).await["items"].clone()
    };
    assert_eq!(listed().await, json!([]), "looking is not touching");

    warehouse.reserve(&order, &[(product, 4)]).await;
    warehouse.reserve(&sold, &[(product, 1)]).await;
    ok(warehouse.confirm(&sold).await).await;
    for (on_hand, adjusted) in [(5, 0), (25, 20), (0, -5), (3, -2)] {
        let expected = stock(adjusted, on_hand, 4, 1);
        for _ in 0..2 {
            let set = warehouse.set_on_hand(product, on_hand).await;
            assert_eq!(ok(set).await, expected);
        }
        assert_eq!(listed().await, json!([expected]));
    }
    // Units given back come on top.
    ok(warehouse.release(&order).await).await;
    assert_eq!(listed().await, json!([stock(-2, 7, 0, 1)]));
}

#[tokio::test]
async fn a_product_nobody_has_touched_can_be_set() {
    let warehouse = open().await;
    let product = id();
    let set = ok(warehouse.set_on_hand(&product, 7).await).await;
    assert_eq!(set["initial"], 1000);
    assert_eq!(set["adjusted"], -993);
    assert_eq!(warehouse.units(&product).await, [7, 0, 0]);
}

/// The initial stock of a product is what it was at its first touch.
#[tokio::test]
async fn another_setting_is_for_products_not_yet_touched() {
    let town = Town::new();
    let (touched, other) = (id(), id());
    let before = open_in(&town, json!({ "initial_stock": 10 })).await;
    before.reserve(&id(), &[(&touched, 4)]).await;
    before.service.stop().await;
    let after = open_in(&town, json!({ "initial_stock": 50 })).await;
    assert_eq!(after.units(&touched).await, [6, 4, 0]);
    assert_eq!(after.units(&other).await, [50, 0, 0]);
}

#[tokio::test]
async fn what_cannot_be_on_hand_is_refused() {
    let warehouse = open().await;
    let product = id();
    for (body, code) in [
        (json!({ "on_hand": 1_000_000_001 }), "invalid_on_hand"),
        (json!({ "on_hand": -1 }), "invalid_fields"),
        (json!({ "on_hand": 1.5 }), "invalid_fields"),
        (json!({ "on_hand": 1, "sold": 0 }), "invalid_fields"),
        (json!({}), "invalid_fields"),
    ] {
        let put = warehouse.admin(Method::PUT, &format!("/{product}"));
        let response = put.json::<Value>(&body).send().await.unwrap();
        assert_problem(response, 422, code).await;
    }
    assert_eq!(warehouse.units(&product).await, [1000, 0, 0]);
}

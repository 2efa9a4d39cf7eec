//! What members do with their carts.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::basket::{Shopper, holding, open};
use testing::assert_problem;

#[tokio::test]
async fn a_cart_is_filled_changed_and_emptied() {
    let service = open().await;
    let mina = Shopper::of(&service);
    let [mug, lamp] = [Uuid::now_v7(), Uuid::now_v7()];
    assert_eq!(mina.cart().await, holding(0, &[]));
    assert_eq!(mina.put(mug, 2).await, holding(1, &[(mug, 2)]));
    assert_eq!(
        mina.put(lamp, 99).await,
        holding(2, &[(mug, 2), (lamp, 99)])
    );
    let three = holding(3, &[(mug, 1), (lamp, 99)]);
    assert_eq!(mina.put(mug, 1).await, three);
    // What changes nothing is no change.
    assert_eq!(mina.put(mug, 1).await, three);
    assert_eq!(mina.remove(Uuid::now_v7()).await, three);
    assert_eq!(mina.cart().await, three);

    let four = holding(4, &[(lamp, 99)]);
    assert_eq!(mina.remove(mug).await, four);
    assert_eq!(mina.remove(mug).await, four);
    mina.clear().await;
    assert_eq!(mina.cart().await, holding(5, &[]));
    mina.clear().await;
    assert_eq!(mina.cart().await, holding(5, &[]));
    assert_eq!(mina.put(mug, 3).await, holding(6, &[(mug, 3)]));
}

#[tokio::test]
async fn members_do_not_see_each_others_carts() {
    let service = open().await;
    let [mina, jun] = [Shopper::of(&service), Shopper::of(&service)];
    let [mug, lamp] = [Uuid::now_v7(), Uuid::now_v7()];
    mina.put(mug, 1).await;
    jun.put(lamp, 2).await;
    jun.remove(mug).await;
    assert_eq!(mina.cart().await, holding(1, &[(mug, 1)]));
    assert_eq!(jun.cart().await, holding(1, &[(lamp, 2)]));
    jun.clear().await;
    assert_eq!(mina.cart().await, holding(1, &[(mug, 1)]));

    // Whatever else a request says, the token says whose cart it is.
    let path = format!("?member_id={}", mina.id);
    let other = jun.request(Method::GET, &path);
    let other = other.header("x-member-id", mina.id.to_string());
    let seen: Value = other.send().await.unwrap().json().await.unwrap();
    assert_eq!(seen, holding(2, &[]));
}

#[tokio::test]
async fn a_cart_has_room_for_fifty_products() {
    let service = open().await;
    let mina = Shopper::of(&service);
    let products: Vec<_> = (0..50).map(|_| Uuid::now_v7()).collect();
    for product in &products {
        mina.put(*product, 1).await;
    }
    let one_more = mina.try_put(Uuid::now_v7(), 1).await;
    assert_problem(one_more, 422, "cart_full").await;
    let full = mina.put(products[49], 7).await;
    assert_eq!(full["items"].as_array().unwrap().len(), 50);
    assert_eq!(full["version"], 51);
    mina.remove(products[0]).await;
    let new = Uuid::now_v7();
    let cart = mina.put(new, 1).await;
    assert_eq!(
        cart["items"][49],
        json!({ "product_id": new, "quantity": 1 })
    );
}

#[tokio::test]
async fn what_is_no_quantity_or_product_is_refused() {
    let service = open().await;
    let mina = Shopper::of(&service);
    let mug = Uuid::now_v7();
    for quantity in [json!(0), json!(100), json!(-1), json!(i64::MAX)] {
        let refused = mina.try_put(mug, quantity).await;
        assert_problem(refused, 422, "invalid_quantity").await;
    }
    for quantity in [json!(1.5), json!("1"), json!(null), json!(u64::MAX)] {
        let refused = mina.try_put(mug, quantity).await;
        assert_problem(refused, 422, "invalid_fields").await;
    }
    let put = |path: &str, body: &'static str| {
        let request = mina.request(Method::PUT, path);
        let request = request.header("content-type", "application/json");
        request.body(body).send()
    };
    let path = format!("/items/{mug}");
    for (body, status, code) in [
        ("{\"quantity\":1,\"price\":1}", 422, "invalid_fields"),
        ("{}", 422, "invalid_fields"),
        ("{", 400, "invalid_json"),
    ] {
        assert_problem(put(&path, body).await.unwrap(), status, code).await;
    }
    let refused = put("/items/mug", "{\"quantity\":1}").await.unwrap();
    assert_problem(refused, 400, "invalid_path").await;
    assert_eq!(mina.cart().await, holding(0, &[]));
}

#[tokio::test]
async fn only_members_have_carts() {
    let service = open().await;
    let town = service.town();
    let calls = [
        (Method::GET, "/api/cart".to_owned()),
        (Method::DELETE, "/api/cart".to_owned()),
        (Method::PUT, format!("/api/cart/items/{}", Uuid::now_v7())),
        (
            Method::DELETE,
            format!("/api/cart/items/{}", Uuid::now_v7()),
        ),
    ];
    for (method, path) in calls {
        let request = || {
            let url = format!("{}{path}", service.url);
            let request = service.http.request(method.clone(), url);
            request.json(&json!({ "quantity": 1 }))
        };
        let nobody = request().send().await.unwrap();
        assert_problem(nobody, 401, "missing_token").await;
        let orders = request().bearer_auth(town.service_token("orders", "cart"));
        assert_problem(orders.send().await.unwrap(), 401, "token_unknown_key").await;
        let strange = request().bearer_auth(town.member_token("0198-member", &["admin"]));
        assert_problem(strange.send().await.unwrap(), 403, "forbidden").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_changes_at_once_all_come_in() {
    let service = open().await;
    let [mina, jun] = [Shopper::of(&service), Shopper::of(&service)];
    let products: Vec<_> = (0..40).map(|_| Uuid::now_v7()).collect();
    let puts = |who| {
        let put = move |(at, product): (usize, &Uuid)| Shopper::put(who, *product, at as i64 + 1);
        join_all(products.iter().enumerate().map(put))
    };
    let (minas, juns) = tokio::join!(puts(&mina), puts(&jun));
    for (who, answers) in [(mina, minas), (jun, juns)] {
        let version = |cart: &Value| cart["version"].as_u64().unwrap();
        let versions: BTreeMap<_, _> = answers.iter().map(|cart| (version(cart), cart)).collect();
        let each: Vec<_> = versions.keys().copied().collect();
        assert_eq!(each, (1..=40).collect::<Vec<_>>());
        for (version, cart) in versions {
            assert_eq!(cart["items"].as_array().unwrap().len() as u64, version);
        }
        let cart = who.cart().await;
        let held: std::collections::HashMap<_, _> = cart["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| (item["product_id"].clone(), item["quantity"].clone()))
            .collect();
        for (at, product) in products.iter().enumerate() {
            assert_eq!(held[&json!(product)], at + 1);
        }
    }
}

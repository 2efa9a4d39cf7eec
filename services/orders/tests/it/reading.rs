use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::shop::{MINA, get, open};
use testing::assert_problem;

#[tokio::test]
async fn orders_are_paged_newest_first() {
    let shop = open().await;
    let mut placed = Vec::new();
    for at in 0..5 {
        placed.push(shop.ordered(&format!("k{at}")).await);
    }
    shop.peers.fill_cart("0198-jun", &[(shop.mug, 1)]);
    let jun = shop.order_as("0198-jun", "k").send().await.unwrap();
    assert!(jun.status().is_success());
    placed.reverse();

    let mut listed = Vec::new();
    let mut path = "/api/orders?limit=2".to_owned();
    loop {
        let page: Value = shop.get(&path).await.json().await.unwrap();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        listed.extend(items.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/orders?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(listed, placed);
    for (query, code) in [
        ("limit=0", "invalid_limit"),
        ("limit=101", "invalid_limit"),
        ("limit=x", "invalid_query"),
        ("cursor=AAAA", "invalid_cursor"),
    ] {
        let response = shop.get(&format!("/api/orders?{query}")).await;
        assert_problem(response, 400, code).await;
    }
}

#[tokio::test]
async fn nobody_learns_of_anothers_order() {
    let shop = open().await;
    let order = shop.ordered("k").await;
    let id = order["id"].as_str().unwrap();
    let unknown = Uuid::now_v7().to_string();
    for (member, id) in [("0198-jun", id), (MINA, &unknown)] {
        for path in [
            format!("/api/orders/{id}"),
            format!("/api/orders/{id}/history"),
        ] {
            let response = get(&shop.service, member, &path).await;
            assert_problem(response, 404, "unknown_order").await;
        }
    }
    let response = shop.get("/api/orders/none").await;
    assert_problem(response, 400, "invalid_path").await;
    let url = format!("{}/api/orders/{id}", shop.service.url);
    let response = shop.service.http.get(url).send().await.unwrap();
    assert_problem(response, 401, "missing_token").await;
}

#[tokio::test]
async fn the_operator_sees_every_order() {
    let shop = open().await;
    let mut placed = BTreeSet::new();
    for member in [MINA, "0198-jun", "0198-sora"] {
        shop.peers.fill_cart(member, &[(shop.mug, 1)]);
        let order = shop.order_as(member, "k").send().await.unwrap();
        let order: Value = order.json().await.unwrap();
        placed.insert((order["id"].to_string(), format!("{member:?}")));
    }
    let list = async |token: &str, query: &str| {
        let url = format!("{}/inner/v1/orders{query}", shop.service.url);
        let request = shop.service.http.get(url).bearer_auth(token);
        request.send().await.unwrap()
    };
    let operator = shop.service.town().operator_token();
    let page: Value = list(operator, "?limit=2").await.json().await.unwrap();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = list(operator, &format!("?cursor={cursor}")).await;
    let rest: Value = rest.json().await.unwrap();
    assert_eq!(rest["next_cursor"], Value::Null);
    let pages = [page, rest];
    let entries = pages
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap());
    let mut seen = BTreeSet::new();
    for entry in entries {
        assert_eq!(entry["status"], "confirmed");
        assert_eq!(
            entry["total"],
            json!({ "amount": 12_900, "currency": "KRW" })
        );
        seen.insert((entry["id"].to_string(), entry["member_id"].to_string()));
    }
    assert_eq!(seen, placed);

    let member = shop.service.town().member_token(MINA, &["admin"]);
    assert_problem(list(&member, "").await, 401, "invalid_token").await;
}

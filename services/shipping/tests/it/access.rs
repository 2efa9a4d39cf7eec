use std::collections::BTreeSet;

use serde_json::{Value, json};
use testing::assert_problem;
use uuid::Uuid;

use crate::depot::{MINA, confirm, get, open, shipment};

#[tokio::test]
async fn nobody_learns_of_anothers_shipment() {
    let depot = open(json!({})).await;
    let order = confirm(&depot.orders);
    shipment(&depot.service, order, "delivered").await;
    for (member, order) in [("0198-jun", order), (MINA, Uuid::now_v7())] {
        let answer = get(&depot.service, member, order).await;
        assert_problem(answer, 404, "unknown_shipment").await;
    }
    let http = &depot.service.http;
    let url = format!("{}/api/shipments", depot.service.url);
    let answer = http.get(format!("{url}/{order}")).send().await.unwrap();
    assert_problem(answer, 401, "missing_token").await;
    let token = depot.service.town().member_token(MINA, &[]);
    let answer = http.get(format!("{url}/none")).bearer_auth(token).send();
    assert_problem(answer.await.unwrap(), 400, "invalid_path").await;
}

#[tokio::test]
async fn the_operator_pages_through_every_shipment_newest_first() {
    let depot = open(json!({})).await;
    let mut orders = Vec::new();
    for _ in 0..5 {
        let order = confirm(&depot.orders);
        shipment(&depot.service, order, "delivered").await;
        orders.push(order.to_string());
    }
    orders.reverse();
    let mut seen = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = depot.list(&query).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    let listed: Vec<_> = seen.iter().map(|entry| entry["order_id"].clone()).collect();
    assert_eq!(listed, orders);
    let ids: BTreeSet<_> = seen.iter().map(|e| e["shipment_id"].to_string()).collect();
    assert_eq!(ids.len(), 5);
    assert!(
        seen.iter().all(|entry| entry["member_id"] == MINA),
        "{seen:?}"
    );

    let url = format!("{}/inner/v1/shipments", depot.service.url);
    let admin = depot.service.town().member_token(MINA, &["admin"]);
    let answer = depot.service.http.get(&url).bearer_auth(admin).send().await;
    assert_problem(answer.unwrap(), 401, "invalid_token").await;
    let operator = depot.service.town().operator_token();
    let answer = depot.service.http.get(format!("{url}?limit=0"));
    let answer = answer.bearer_auth(operator).send().await.unwrap();
    assert_problem(answer, 400, "invalid_limit").await;
}

#[tokio::test]
async fn only_those_who_act_on_shipments_read_of_them() {
    let depot = open(json!({})).await;
    let url = format!("{}/inner/v1/feed", depot.service.url);
    for (caller, status) in [("orders", 200), ("notifications", 200), ("cart", 403)] {
        let token = depot.service.town().service_token(caller, "shipping");
        let answer = depot.service.http.get(&url).bearer_auth(token).send().await;
        assert_eq!(answer.unwrap().status(), status, "{caller}");
    }
    let answer: Value = {
        let answer = depot.service.http.get(&url).send().await.unwrap();
        assert_problem(answer, 401, "missing_token").await
    };
    assert_eq!(answer["code"], "missing_token");
}

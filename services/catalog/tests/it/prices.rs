//! What orders is told of products.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::shop::{Shop, draft, open};
use testing::assert_problem;

impl Shop {
    async fn prices(&self, ids: &[&str]) -> Vec<Value> {
        let request = self.as_service("orders").query(&[("ids", ids.join(","))]);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body: Value = response.json().await.unwrap();
        body["items"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn prices_are_those_of_products_that_are_sold_now() {
    let shop = open().await;
    let one = shop.add("황금 거위", "Golden Goose").await;
    let two = shop.add("은 거위", "Silver Goose").await;
    let [one, two] = [&one, &two].map(|product| product["id"].as_str().unwrap());
    let unknown = "00000000-0000-7000-8000-000000000000";
    let price = |id: &str, ko: &str, en: &str, amount: i64| {
        json!({
            "product_id": id,
            "name": { "ko": ko, "en": en },
            "price": { "amount": amount, "currency": "KRW" },
        })
    };
    let golden = price(one, "황금 거위", "Golden Goose", 12_900);
    assert_eq!(
        shop.prices(&[two, unknown, one, two]).await,
        [
            golden.clone(),
            price(two, "은 거위", "Silver Goose", 12_900)
        ]
    );
    assert!(shop.prices(&[unknown]).await.is_empty());
    assert!(shop.prices(&[]).await.is_empty());

    let mut dearer = draft("은 거위", "Silver Goose");
    dearer["price"]["amount"] = json!(19_900);
    let path = format!("/{two}");
    let any = [("if-match", "*")];
    let edited = shop.send(Method::PUT, &path, &any, Some(&dearer)).await;
    assert_eq!(edited.status(), StatusCode::OK);
    assert_eq!(
        shop.prices(&[two]).await,
        [price(two, "은 거위", "Silver Goose", 19_900)]
    );
    shop.send(Method::DELETE, &path, &[], None).await;
    assert_eq!(shop.prices(&[one, two]).await, [golden]);
}

#[tokio::test]
async fn as_many_as_a_hundred_are_told_at_once() {
    let shop = open().await;
    let ids = shop.walk(&[("limit", "100")]).await;
    let mut sorted = ids.clone();
    sorted.sort();
    for count in [1, 2, 3, 64, 65, 100] {
        let wanted: Vec<_> = sorted[..count].iter().map(String::as_str).collect();
        let told = shop.prices(&wanted).await;
        let told: Vec<_> = told
            .iter()
            .map(|item| item["product_id"].as_str().unwrap())
            .collect();
        assert_eq!(told, wanted);
    }
    let request = |ids: String| shop.as_service("orders").query(&[("ids", ids)]).send();
    let refused = request(ids[..101].join(",")).await.unwrap();
    assert_problem(refused, 400, "too_many_ids").await;
    for nonsense in ["x", "1,2", &format!("{},", &ids[0][1..])] {
        let refused = request(nonsense.to_owned()).await.unwrap();
        assert_problem(refused, 400, "invalid_ids").await;
    }
    let refused = shop.as_service("orders").send().await.unwrap();
    assert_problem(refused, 400, "invalid_query").await;
}

#[tokio::test]
async fn only_orders_is_told() {
    let shop = open().await;
    let other = shop.as_service("cart").query(&[("ids", "")]).send().await;
    assert_problem(other.unwrap(), 403, "forbidden").await;
    let member = shop.service.town().member_token("0198-member", &["admin"]);
    let url = format!("{}/inner/v1/prices?ids=", shop.service.url);
    let member = shop.service.http.get(&url).bearer_auth(member).send().await;
    assert_problem(member.unwrap(), 401, "token_unknown_key").await;
    let nobody = shop.service.http.get(&url).send().await;
    assert_problem(nobody.unwrap(), 401, "missing_token").await;
}

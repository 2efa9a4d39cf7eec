//! What orders does with a member's cart.

use reqwest::{Method, StatusCode};
use uuid::Uuid;

use crate::basket::{Shopper, holding, inner, open, read};
use testing::assert_problem;

#[tokio::test]
async fn orders_reads_the_cart_and_empties_the_version_that_was_bought() {
    let service = open().await;
    let mina = Shopper::of(&service);
    let [mug, lamp] = [Uuid::now_v7(), Uuid::now_v7()];
    let show = || async {
        let request = inner(&service, "orders", Method::GET, mina.id);
        read(request.send().await.unwrap()).await
    };
    let empty = |version: u64| {
        let request = inner(&service, "orders", Method::DELETE, mina.id);
        request.query(&[("version", version)]).send()
    };
    assert_eq!(show().await, holding(0, &[]));
    mina.put(mug, 1).await;
    let two = mina.put(lamp, 2).await;
    assert_eq!(show().await, two);

    // Another version, older or newer, is not what was bought.
    for version in [0, 1, 3, u64::MAX] {
        let answer = empty(version).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(mina.cart().await, two, "{version}");
    }
    for _ in 0..2 {
        let answer = empty(2).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(mina.cart().await, holding(3, &[]));
    }
    // What the member puts in while the order is under way stays, however often orders asks.
    let four = mina.put(mug, 5).await;
    assert_eq!(four, holding(4, &[(mug, 5)]));
    assert_eq!(empty(2).await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(mina.cart().await, four);
}

#[tokio::test]
async fn only_orders_may() {
    let service = open().await;
    let mina = Shopper::of(&service);
    let one = mina.put(Uuid::now_v7(), 1).await;
    for method in [Method::GET, Method::DELETE] {
        let request = |caller| {
            let request = inner(&service, caller, method.clone(), mina.id);
            request.query(&[("version", 1)])
        };
        for caller in ["catalog", "payments", "gateway"] {
            let refused = request(caller).send().await.unwrap();
            assert_problem(refused, 403, "forbidden").await;
        }
        let own = service
            .town()
            .member_token(&mina.id.to_string(), &["admin"]);
        let url = format!("{}/inner/v1/carts/{}?version=1", service.url, mina.id);
        let as_member = service.http.request(method.clone(), url).bearer_auth(own);
        let refused = as_member.send().await.unwrap();
        assert_problem(refused, 401, "token_unknown_key").await;
        let nonsense = inner(&service, "orders", method, "mina").query(&[("version", 1)]);
        assert_problem(nonsense.send().await.unwrap(), 400, "invalid_path").await;
    }
    let without = inner(&service, "orders", Method::DELETE, mina.id);
    assert_problem(without.send().await.unwrap(), 400, "invalid_query").await;
    assert_eq!(mina.cart().await, one);
}

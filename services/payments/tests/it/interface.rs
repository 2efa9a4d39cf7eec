use acquirer::Moods;
use payments::Payments;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::till::{open, order};

#[test]
fn the_interface_is_the_one_checked_in() {
    testing::openapi::assert_current::<Payments>(env!("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn metrics_are_born_at_zero_and_count() {
    let till = open().await;
    let page = till.service.metrics().await;
    for series in [
        "charges_total{outcome=\"captured\"}",
        "charges_total{outcome=\"declined\"}",
        "refunds_total{outcome=\"refunded\"}",
        "refunds_total{outcome=\"voided\"}",
        "duplicates_refunded_total",
        "taken_over_total",
        "missing_total",
        "unsettled",
    ] {
        let line = format!("\ncitywatch_payments_{series} 0\n");
        assert!(page.contains(&line), "{series}: {page}");
    }
    let (paid, refused, voided) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    till.charge(paid).await;
    till.charge(paid).await;
    till.refund(paid).await;
    till.refund(paid).await;
    till.refund(voided).await;
    till.bank
        .set(Moods {
            decline: 1.0,
            ..Moods::default()
        })
        .await;
    till.charge(refused).await;
    let page = till.service.metrics().await;
    for series in [
        "charges_total{outcome=\"captured\"}",
        "charges_total{outcome=\"declined\"}",
        "refunds_total{outcome=\"refunded\"}",
        "refunds_total{outcome=\"voided\"}",
    ] {
        let line = format!("\ncitywatch_payments_{series} 1\n");
        assert!(page.contains(&line), "{series}: {page}");
    }
}

#[tokio::test]
async fn only_orders_may_charge_refund_and_look() {
    let till = open().await;
    let key = Uuid::now_v7();
    let stranger = till.service.town().service_token("cart", "payments");
    let calls = [
        (Method::PUT, "charges"),
        (Method::GET, "charges"),
        (Method::PUT, "refunds"),
    ];
    for (method, what) in calls {
        let url = format!("{}/inner/v1/{what}/{key}", till.service.url);
        let call = |token: Option<&str>| {
            let mut request = till.service.http.request(method.clone(), &url);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            request.json(&order(key)).send()
        };
        assert_eq!(call(None).await.unwrap().status(), 401, "{method} {what}");
        let status = call(Some(&stranger)).await.unwrap().status();
        assert_eq!(status, 403, "{method} {what}");
    }
    assert_eq!(till.state(key).await, "unknown_charge");
    assert!(till.bank.book(key).await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_charged_is_refused_before_the_bank_hears_of_it() {
    let till = open().await;
    let key = Uuid::now_v7();
    let mut bad = [order(key), order(key), order(key), order(key), order(key)];
    bad[0]["amount"]["amount"] = json!(0);
    bad[1]["amount"]["amount"] = json!(-1);
    bad[2]["member_id"] = json!("");
    bad[3]["amount"]["currency"] = json!("XYZ");
    bad[4]["tip"] = json!(1);
    for body in bad {
        let request = till.request(Method::PUT, &format!("charges/{key}"));
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 422, "{body}");
    }
    let request = till.request(Method::PUT, "charges/order-1");
    let answer = request.json(&order(key)).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(till.state(key).await, "unknown_charge");
    assert!(till.bank.book(key).await.is_empty());
}

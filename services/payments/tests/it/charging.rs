use acquirer::Moods;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::till::{AMOUNT, open, order};

#[tokio::test]
async fn a_key_is_charged_once_however_often_it_is_asked_for() {
    let till = open().await;
    let key = Uuid::now_v7();
    for _ in 0..3 {
        let answer = till.try_charge(key).await;
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        let expected = json!({
            "key": key, "reference": key, "state": "captured",
            "amount": { "amount": AMOUNT, "currency": "KRW" },
        });
        assert_eq!(body, expected);
    }
    assert_eq!(till.state(key).await, "captured");
    assert_eq!(till.bank.counts(key).await, (1, 0));
}

#[tokio::test]
async fn a_key_is_for_one_charge() {
    let till = open().await;
    let key = Uuid::now_v7();
    assert_eq!(till.charge(key).await, "captured");
    let mut others = [order(key), order(key), order(key), order(key)];
    others[0]["amount"]["amount"] = json!(AMOUNT + 1);
    others[1]["amount"]["currency"] = json!("EUR");
    others[2]["member_id"] = json!("0198-other");
    others[3]["order_id"] = json!(Uuid::now_v7());
    for other in others {
        let request = till.request(Method::PUT, &format!("charges/{key}"));
        let answer = request.json(&other).send().await.unwrap();
        assert_eq!(answer.status(), 422);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["code"], "charge_differs");
    }
    assert_eq!(till.bank.net(key).await, AMOUNT);
}

#[tokio::test]
async fn what_was_declined_stays_declined() {
    let till = open().await;
    let key = Uuid::now_v7();
    till.bank
        .set(Moods {
            decline: 1.0,
            ..Moods::default()
        })
        .await;
    assert_eq!(till.try_charge(key).await.status(), 402);
    till.bank.set(Moods::default()).await;
    assert_eq!(till.charge(key).await, "payment_declined");
    assert!(till.bank.book(key).await.is_empty());
}

/// One asks the bank, and the others wait for what it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_one_asks_the_bank() {
    let till = open().await;
    till.bank
        .set(Moods {
            delay_ms: 100,
            ..Moods::default()
        })
        .await;
    let keys: Vec<_> = (0..3).map(|_| Uuid::now_v7()).collect();
    let requests = (0..60).map(|n| till.charge(keys[n % 3]));
    let answers = join_all(requests).await;
    assert!(
        answers.iter().all(|answer| answer == "captured"),
        "{answers:?}"
    );
    for key in keys {
        assert_eq!(till.bank.counts(key).await, (1, 0));
    }
}

/// Whoever asked has gone; what was begun is done to its end.
#[tokio::test]
async fn a_caller_that_hangs_up_changes_nothing() {
    let till = open().await;
    let key = Uuid::now_v7();
    till.bank
        .set(Moods {
            delay_ms: 200,
            ..Moods::default()
        })
        .await;
    let patience = std::time::Duration::from_millis(60);
    let hung_up = tokio::time::timeout(patience, till.try_charge(key)).await;
    assert!(hung_up.is_err());
    assert_eq!(till.settled(key).await, "captured");
    assert_eq!(till.bank.counts(key).await, (1, 0));
}

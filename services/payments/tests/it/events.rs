//! What others are told of money: each movement once, and nothing that moved none.

use acquirer::Moods;
use serde_json::{Value, json};
use testing::{Town, assert_problem};
use uuid::Uuid;

use crate::till::{AMOUNT, Bank, Till, brisk, open, open_in};

async fn told(till: &Till, many: usize) -> Vec<Value> {
    let town = till.service.town();
    town.published_at_least(many, &till.service.url, "payments", "notifications")
        .await
}

/// The order that each event is about, and its name; order by order, and each as it was told.
fn named(events: &[Value]) -> Vec<(String, String)> {
    let name = |event: &Value| {
        let kind = event["type"].as_str().unwrap();
        let name = kind.strip_prefix("citywatch.payments.").unwrap();
        assert_eq!(event["subject"], event["data"]["order_id"]);
        (
            event["subject"].as_str().unwrap().to_owned(),
            name.to_owned(),
        )
    };
    let mut named: Vec<_> = events.iter().map(name).collect();
    named.sort_by(|(order, _), (other, _)| order.cmp(other));
    named
}

/// The same of what is expected, order by order.
fn moved(movements: &[(Uuid, &str)]) -> Vec<(String, String)> {
    let name = |(order, what): &(Uuid, &str)| (order.to_string(), format!("Payment{what}.v1"));
    movements.iter().map(name).collect()
}

#[tokio::test]
async fn each_movement_of_money_is_told_once() {
    let till = open().await;
    let [returned, voided, refused, paid] = [(); 4].map(|()| Uuid::now_v7());
    for _ in 0..3 {
        assert_eq!(till.charge(returned).await, "captured");
    }
    for _ in 0..3 {
        assert_eq!(till.refund(returned).await, "refunded");
    }
    assert_eq!(till.refund(voided).await, "voided");
    let declines = Moods {
        decline: 1.0,
        ..Moods::default()
    };
    till.bank.set(declines).await;
    assert_eq!(till.charge(refused).await, "payment_declined");
    assert_eq!(till.refund(refused).await, "voided");
    till.bank.set(Moods::default()).await;
    assert_eq!(till.charge(paid).await, "captured");

    let told = told(&till, 3).await;
    let expected = [
        (returned, "Captured"),
        (returned, "Refunded"),
        (paid, "Captured"),
    ];
    assert_eq!(named(&told), moved(&expected));
    let told: Vec<_> = told
        .iter()
        .filter(|event| event["subject"] == returned.to_string())
        .collect();
    let body = json!({
        "order_id": returned, "member_id": "0198-member",
        "amount": { "amount": AMOUNT, "currency": "KRW" },
    });
    assert_eq!(told[0]["data"], body);
    assert_eq!(told[1]["data"], body);
}

/// Whoever asked has gone; the bank's answer is found out later, and told all the same.
#[tokio::test]
async fn what_is_found_out_later_is_told_too() {
    let till = open().await;
    let fails = Moods {
        fail_after: 1.0,
        ..Moods::default()
    };
    till.bank.set(fails).await;
    let key = Uuid::now_v7();
    till.charge(key).await;
    till.bank.set(Moods::default()).await;
    assert_eq!(till.settled(key).await, "captured");
    let expected = moved(&[(key, "Captured")]);
    assert_eq!(named(&told(&till, 1).await), expected);
}

/// Two instances, and a bank that fails: what is told is what the bank's book says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_instances_tell_is_what_the_book_says() {
    let town = Town::new();
    let bank = Bank::open(&town).await;
    let (a, b) = tokio::join!(
        open_in(&town, &bank, brisk(&bank)),
        open_in(&town, &bank, brisk(&bank)),
    );
    let fails = Moods {
        fail_before: 0.2,
        fail_after: 0.2,
        jitter_ms: 20,
        ..Moods::default()
    };
    bank.set(fails).await;
    let keys: Vec<_> = (0..8).map(|_| Uuid::now_v7()).collect();
    for key in &keys {
        tokio::join!(a.charge(*key), b.charge(*key));
    }
    for key in &keys {
        assert_eq!(a.settled(*key).await, "captured");
    }
    for key in &keys[..4] {
        tokio::join!(a.refund(*key), b.refund(*key));
    }
    bank.set(Moods::default()).await;
    let mut expected = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        expected.push((*key, "Captured"));
        let refunds = usize::from(at < 4);
        if refunds == 1 {
            assert_eq!(b.settled(*key).await, "refunded");
            expected.push((*key, "Refunded"));
        }
        assert_eq!(bank.counts(*key).await, (1, refunds), "{key}");
    }
    assert_eq!(named(&told(&a, 12).await), moved(&expected));
}

#[tokio::test]
async fn the_feed_is_for_notifications_alone() {
    let till = open().await;
    let url = format!("{}/inner/v1/feed", till.service.url);
    let orders = till.service.town().service_token("orders", "payments");
    let answer = till.service.http.get(url).bearer_auth(orders).send().await;
    assert_problem(answer.unwrap(), 403, "forbidden").await;
}

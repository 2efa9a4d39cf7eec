//! The safety net: what the bank charged beside the one charge that counts is given back.

use acquirer::Moods;
use testing::eventually;
use uuid::Uuid;

use crate::till::{AMOUNT, Till, open};

async fn net_is(till: &Till, key: Uuid, expected: i64, refunds: usize) {
    eventually("the bank agrees", async || {
        let settled = till.bank.counts(key).await.1 == refunds;
        settled.then_some(())
    })
    .await;
    assert_eq!(till.bank.net(key).await, expected);
}

/// As when a request was under way for longer than anyone thought possible.
#[tokio::test]
async fn a_second_charge_is_refunded_and_the_first_is_kept() {
    let till = open().await;
    let key = Uuid::now_v7();
    assert_eq!(till.charge(key).await, "captured");
    let first = till.bank.book(key).await[0].id.clone();
    till.bank.charge(key).await;
    till.bank.charge(key).await;
    net_is(&till, key, AMOUNT, 2).await;
    let book = till.bank.book(key).await;
    let refunded = book.iter().filter(|line| !line.is_charge);
    assert!(refunded.clone().all(|line| line.id != first), "{book:?}");
    let name = "citywatch_payments_duplicates_refunded_total";
    eventually("the duplicates are counted", async || {
        (till.counter(name).await == 2).then_some(())
    })
    .await;
    assert_eq!(till.counter("citywatch_payments_missing_total").await, 0);
    assert_eq!(till.state(key).await, "captured");
}

#[tokio::test]
async fn a_charge_of_what_was_voided_or_declined_is_refunded() {
    let till = open().await;
    let declined = Uuid::now_v7();
    till.bank
        .set(Moods {
            decline: 1.0,
            ..Moods::default()
        })
        .await;
    assert_eq!(till.charge(declined).await, "payment_declined");
    till.bank.set(Moods::default()).await;
    till.bank.charge(declined).await;
    net_is(&till, declined, 0, 1).await;

    // The bank is asked about a key at once that nobody here has ever charged.
    let voided = Uuid::now_v7();
    till.bank.charge(voided).await;
    assert_eq!(till.refund(voided).await, "voided");
    net_is(&till, voided, 0, 1).await;
    assert_eq!(till.state(voided).await, "voided");
}

/// What the bank has lost is not charged again: a person has to look.
#[tokio::test]
async fn a_charge_that_the_bank_gave_back_by_itself_is_told() {
    let till = open().await;
    let key = Uuid::now_v7();
    assert_eq!(till.charge(key).await, "captured");
    let id = till.bank.book(key).await[0].id.clone();
    let url = format!("{}/charges/{id}/refunds", till.bank.url);
    assert_eq!(
        till.service.http.post(url).send().await.unwrap().status(),
        201
    );
    eventually("somebody is told", async || {
        let missing = till.counter("citywatch_payments_missing_total").await;
        (missing == 1).then_some(())
    })
    .await;
    assert_eq!(till.bank.counts(key).await, (1, 1));
}

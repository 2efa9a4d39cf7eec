use acquirer::Moods;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::till::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_is_given_back_once_however_often_it_is_asked_for() {
    let till = open().await;
    let key = Uuid::now_v7();
    assert_eq!(till.charge(key).await, "captured");
    let answers = join_all((0..10).map(|_| till.refund(key))).await;
    assert!(
        answers.iter().all(|answer| answer == "refunded"),
        "{answers:?}"
    );
    assert_eq!(till.refund(key).await, "refunded");
    assert_eq!(till.bank.counts(key).await, (1, 1));
    assert_eq!(till.charge(key).await, "charge_voided");
    assert_eq!(till.state(key).await, "refunded");
    assert_eq!(till.bank.counts(key).await, (1, 1));
    assert_eq!(
        till.counter("citywatch_payments_duplicates_refunded_total")
            .await,
        0
    );
}

/// A charge that comes late must not take money for an order that was given up.
#[tokio::test]
async fn a_key_that_is_voided_first_is_never_charged() {
    let till = open().await;
    let key = Uuid::now_v7();
    assert_eq!(till.refund(key).await, "voided");
    assert_eq!(till.charge(key).await, "charge_voided");
    assert_eq!(till.refund(key).await, "voided");
    assert!(till.bank.book(key).await.is_empty());
}

#[tokio::test]
async fn what_was_declined_has_nothing_to_give_back() {
    let till = open().await;
    let key = Uuid::now_v7();
    till.bank
        .set(Moods {
            decline: 1.0,
            ..Moods::default()
        })
        .await;
    assert_eq!(till.charge(key).await, "payment_declined");
    assert_eq!(till.refund(key).await, "voided");
    assert_eq!(till.charge(key).await, "charge_voided");
    assert!(till.bank.book(key).await.is_empty());
}

/// The refund comes while the bank is still thinking about the charge.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_under_way_is_refunded_when_the_bank_has_charged() {
    let till = open().await;
    till.bank
        .set(Moods {
            delay_ms: 300,
            ..Moods::default()
        })
        .await;
    let key = Uuid::now_v7();
    let refund = async {
        testing::eventually("the charge is asked for", async || {
            (till.state(key).await == "asked").then_some(())
        })
        .await;
        till.refund(key).await
    };
    let (charged, refunded) = tokio::join!(till.charge(key), refund);
    assert_eq!(charged, "charge_voided");
    assert_eq!(refunded, "refunded");
    assert_eq!(till.bank.counts(key).await, (1, 1));
}

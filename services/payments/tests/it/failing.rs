//! Every way in which the bank fails, and what is in its book in the end.

use acquirer::Moods;
use testing::eventually;
use uuid::Uuid;

use crate::till::{AMOUNT, Till, open};

fn moods() -> [(&'static str, Moods); 5] {
    let fair = Moods::default();
    [
        (
            "fail_before",
            Moods {
                fail_before: 1.0,
                ..fair
            },
        ),
        (
            "fail_after",
            Moods {
                fail_after: 1.0,
                ..fair
            },
        ),
        (
            "hang_before",
            Moods {
                hang_before: 1.0,
                ..fair
            },
        ),
        (
            "hang_after",
            Moods {
                hang_after: 1.0,
                ..fair
            },
        ),
        // Each request takes longer than payments waits for it, and is dealt with nonetheless.
        (
            "slow",
            Moods {
                delay_ms: 1_700,
                ..fair
            },
        ),
    ]
}

/// Long enough for the bank's every request to be dealt with, and for every check.
async fn all_is_quiet(till: &Till, key: Uuid, expected: i64) {
    eventually("the bank's book is right", async || {
        (till.bank.net(key).await == expected).then_some(())
    })
    .await;
    let later = std::time::Duration::from_secs(3);
    tokio::time::sleep(later).await;
    assert_eq!(till.bank.net(key).await, expected);
}

async fn charged_in(name: &str, moods: Moods) {
    let till = open().await;
    till.bank.set(moods).await;
    let key = Uuid::now_v7();
    for _ in 0..2 {
        let said = till.charge(key).await;
        assert!(
            ["captured", "payment_pending"].contains(&&*said),
            "{name}: {said}"
        );
    }
    till.bank.set(Moods::default()).await;
    // Nobody asks again.
    assert_eq!(till.settled(key).await, "captured", "{name}");
    assert_eq!(till.charge(key).await, "captured", "{name}");
    all_is_quiet(&till, key, AMOUNT).await;
    // The bank never had to be made good: it was asked before it was charged again.
    assert_eq!(till.bank.counts(key).await, (1, 0), "{name}");
    assert_eq!(till.bank.book(key).await.len(), 1, "{name}");
}

async fn voided_in(name: &str, moods: Moods) {
    let till = open().await;
    till.bank.set(moods).await;
    let key = Uuid::now_v7();
    till.charge(key).await;
    for _ in 0..2 {
        let said = till.refund(key).await;
        let known = ["refunded", "voided", "refund_pending"];
        assert!(known.contains(&&*said), "{name}: {said}");
    }
    till.bank.set(Moods::default()).await;
    let end = till.settled(key).await;
    assert!(["refunded", "voided"].contains(&&*end), "{name}: {end}");
    assert_eq!(till.refund(key).await, end, "{name}");
    assert_eq!(till.charge(key).await, "charge_voided", "{name}");
    all_is_quiet(&till, key, 0).await;
    let (charges, _) = till.bank.counts(key).await;
    assert!(charges <= 1, "{name}: charged {charges} times");
    assert_eq!(end == "refunded", charges == 1, "{name}");
}

async fn refunded_in(name: &str, moods: Moods) {
    let till = open().await;
    let key = Uuid::now_v7();
    assert_eq!(till.charge(key).await, "captured");
    till.bank.set(moods).await;
    for _ in 0..2 {
        let said = till.refund(key).await;
        assert!(
            ["refunded", "refund_pending"].contains(&&*said),
            "{name}: {said}"
        );
    }
    till.bank.set(Moods::default()).await;
    assert_eq!(till.settled(key).await, "refunded", "{name}");
    assert_eq!(till.refund(key).await, "refunded", "{name}");
    assert_eq!(till.bank.counts(key).await, (1, 1), "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_bank_does_a_charge_is_made_once() {
    each(charged_in).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_bank_does_a_charge_that_is_given_up_costs_nothing() {
    each(voided_in).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_bank_does_a_charge_is_given_back_once() {
    each(refunded_in).await;
}

/// All moods at once, each with a bank and a city of its own.
async fn each<F: Future<Output = ()> + Send + 'static>(run: impl Fn(&'static str, Moods) -> F) {
    let mut runs = tokio::task::JoinSet::new();
    for (name, moods) in moods() {
        runs.spawn(run(name, moods));
    }
    while let Some(outcome) = runs.join_next().await {
        outcome.unwrap();
    }
}

/// A bank that is away was certainly not asked: nothing has to be waited for.
#[tokio::test]
async fn with_the_bank_away_a_charge_is_pending_and_then_made() {
    let town = testing::Town::new();
    let bank = crate::till::Bank::open(&town).await;
    let mut settings = crate::till::brisk(&bank);
    // Nobody listens there.
    settings["acquirer_url"] = "http://127.0.0.1:9".into();
    let away = crate::till::open_in(&town, &bank, settings).await;
    let (charge, refund) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(away.charge(charge).await, "payment_pending");
    assert_eq!(away.charge(refund).await, "payment_pending");
    assert_eq!(away.refund(refund).await, "refund_pending");
    away.service.stop().await;

    let till = crate::till::open_in(&town, &bank, crate::till::brisk(&bank)).await;
    assert_eq!(till.settled(charge).await, "captured");
    assert_eq!(till.settled(refund).await, "voided");
    assert_eq!(till.bank.counts(charge).await, (1, 0));
    assert_eq!(till.bank.counts(refund).await, (0, 0));
    assert_eq!(till.counter("citywatch_payments_taken_over_total").await, 2);
}

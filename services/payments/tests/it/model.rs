//! Whatever is asked for in whatever order, of a bank in whatever mood: the book is right in the
//! end, and nothing that was answered was a lie.

use std::collections::BTreeMap;

use acquirer::Moods;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use testing::{Town, eventually};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::till::{AMOUNT, Bank, Till, brisk, open_in};

/// What the answers so far say must hold for ever.
#[derive(Debug, Default)]
struct Known {
    was_captured: bool,
    was_declined: bool,
    was_voided: bool,
    was_refunded: bool,
    /// A refund was asked for, whatever was answered.
    given_up: bool,
}

impl Known {
    fn hears(&mut self, said: &str, key: Uuid) {
        match said {
            "captured" => self.was_captured = true,
            "payment_declined" => self.was_declined = true,
            "voided" => self.was_voided = true,
            "refunded" => self.was_refunded = true,
            "charge_voided" => assert!(self.given_up, "{key} was voided by nobody"),
            "payment_pending" | "refund_pending" => {}
            other => panic!("{key}: {other}"),
        }
    }
}

fn mood(random: &mut StdRng) -> Moods {
    let mut part = || match random.random_range(0..3) {
        0 => 0.3,
        _ => 0.0,
    };
    Moods {
        fail_before: part(),
        fail_after: part(),
        hang_before: part() / 3.0,
        hang_after: part() / 3.0,
        decline: part() / 2.0,
        delay_ms: 0,
        jitter_ms: random.random_range(0..60),
    }
}

async fn shift(till: &Till, keys: &[Uuid], seed: u64) -> BTreeMap<Uuid, Known> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut known: BTreeMap<Uuid, Known> = BTreeMap::new();
    for _ in 0..20 {
        let key = *keys.choose(&mut random).unwrap();
        let said = if random.random_bool(0.8) {
            till.charge(key).await
        } else {
            known.entry(key).or_default().given_up = true;
            till.refund(key).await
        };
        // Others give the same keys up.
        if said != "charge_voided" {
            known.entry(key).or_default().hears(&said, key);
        }
    }
    known
}

async fn run(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let town = Town::new();
    let bank = Bank::open(&town).await;
    let keys: Vec<_> = (0..10).map(|_| Uuid::now_v7()).collect();
    let mut tills = Vec::new();
    for _ in 0..2 {
        tills.push(std::sync::Arc::new(
            open_in(&town, &bank, brisk(&bank)).await,
        ));
    }
    bank.set(mood(&mut random)).await;
    let mut shifts = JoinSet::new();
    for n in 0..6 {
        let till = std::sync::Arc::clone(&tills[n % 2]);
        let (keys, seed) = (keys.clone(), random.random());
        shifts.spawn(async move { shift(&till, &keys, seed).await });
    }
    let mut all: BTreeMap<Uuid, Known> = BTreeMap::new();
    while let Some(known) = shifts.join_next().await {
        for (key, one) in known.unwrap() {
            let sum = all.entry(key).or_default();
            sum.was_captured |= one.was_captured;
            sum.was_declined |= one.was_declined;
            sum.was_voided |= one.was_voided;
            sum.was_refunded |= one.was_refunded;
            sum.given_up |= one.given_up;
        }
        bank.set(mood(&mut random)).await;
    }
    bank.set(Moods::default()).await;

    for (key, known) in all {
        let end = tills[0].settled(key).await;
        let about = format!("seed {seed}, {key}: {end}, {known:?}");
        match &*end {
            "captured" => assert!(!known.given_up && !known.was_declined, "{about}"),
            "declined" => assert!(!known.given_up && !known.was_captured, "{about}"),
            "voided" => assert!(!known.was_captured && !known.was_refunded, "{about}"),
            "refunded" => assert!(!known.was_voided && !known.was_declined, "{about}"),
            _ => panic!("{about}"),
        }
        assert!(
            !known.given_up || ["voided", "refunded"].contains(&&*end),
            "{about}"
        );
        let expected = if end == "captured" { AMOUNT } else { 0 };
        eventually("the book is right", async || {
            (bank.net(key).await == expected).then_some(())
        })
        .await;
        let (charges, _) = bank.counts(key).await;
        assert!(charges <= 1, "{about}: charged {charges} times");
        assert_eq!(tills[1].state(key).await, end, "{about}");
    }
    for till in &tills {
        assert_eq!(
            till.counter("citywatch_payments_duplicates_refunded_total")
                .await,
            0
        );
        assert_eq!(till.counter("citywatch_payments_missing_total").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_book_is_right_whatever_was_asked_for() {
    let mut runs = JoinSet::new();
    for seed in 1..=4 {
        runs.spawn(run(seed));
    }
    while let Some(outcome) = runs.join_next().await {
        outcome.unwrap();
    }
}

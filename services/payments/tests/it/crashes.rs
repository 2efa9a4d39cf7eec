//! The binary, killed at any moment.

use std::sync::Arc;
use std::time::Duration;

use acquirer::Moods;
use payments::Payments;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::Value;
use testing::{Process, Town, eventually};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::till::{AMOUNT, Bank, Clerk, brisk, counter, order};

const PROGRAM: &str = env!("CARGO_BIN_EXE_citywatch-payments");

pub(crate) struct Instance {
    pub(crate) process: Process,
    pub(crate) clerk: Arc<Clerk>,
}

pub(crate) async fn start(town: &Town, settings: &Value) -> Instance {
    let process = Process::start(town.command::<Payments>(PROGRAM, settings)).await;
    Instance {
        clerk: Arc::new(Clerk::at(town, &process.url)),
        process,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_nobody_pays_twice_or_for_nothing() {
    let mut random = StdRng::seed_from_u64(7);
    let town = Town::new();
    let bank = Bank::open(&town).await;
    bank.set(Moods {
        jitter_ms: 80,
        fail_after: 0.1,
        fail_before: 0.1,
        ..Moods::default()
    })
    .await;
    let settings = brisk(&bank);
    let mut instances = [start(&town, &settings).await, start(&town, &settings).await];
    let mut keys: Vec<(Uuid, bool)> = Vec::new();
    for _ in 0..10 {
        let mut requests = JoinSet::new();
        for _ in 0..8 {
            let key = Uuid::now_v7();
            let is_given_up = random.random_bool(0.3);
            keys.push((key, is_given_up));
            for instance in &instances {
                let clerk = Arc::clone(&instance.clerk);
                requests.spawn(async move {
                    // It may die before it answers.
                    let charge = clerk.request(Method::PUT, &format!("charges/{key}"));
                    let _ = charge.json(&order(key)).send().await;
                    if is_given_up {
                        let refund = clerk.request(Method::PUT, &format!("refunds/{key}"));
                        let _ = refund.send().await;
                    }
                });
            }
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..150))).await;
        let victim = random.random_range(0..2);
        instances[victim] = start(&town, &settings).await;
        requests.shutdown().await;
    }
    bank.set(Moods::default()).await;

    let clerk = &instances.choose(&mut random).unwrap().clerk;
    let mut ends = [0, 0, 0];
    for (key, is_given_up) in keys {
        // Its request may not have been read before the kill; then nothing is to be done.
        if clerk.state(key).await == "unknown_charge" {
            assert!(bank.book(key).await.is_empty());
            continue;
        }
        let end = eventually("an end", async || {
            let end = clerk.state(key).await;
            ["captured", "refunded", "voided"]
                .iter()
                .position(|known| *known == end)
        })
        .await;
        ends[end] += 1;
        assert!(is_given_up || end == 0, "{key} was given up by nobody");
        let (charges, _) = bank.counts(key).await;
        assert!(charges <= 1, "{key} was charged {charges} times");
        let expected = if end == 0 { AMOUNT } else { 0 };
        assert_eq!(bank.net(key).await, expected, "{key}");
    }
    assert!(ends[0] >= 20, "too few to prove anything: {ends:?}");
    for instance in &instances {
        let page = instance.process.metrics().await;
        let name = "citywatch_payments_duplicates_refunded_total";
        assert_eq!(counter(&page, name), 0);
    }
}

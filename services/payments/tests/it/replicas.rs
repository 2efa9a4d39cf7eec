//! Two instances on one store.

use acquirer::Moods;
use futures_util::future::join_all;
use testing::Town;
use uuid::Uuid;

use crate::till::{Bank, brisk, open_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_charge_a_key_once_and_refund_it_once() {
    let town = Town::new();
    let bank = Bank::open(&town).await;
    let (a, b) = tokio::join!(
        open_in(&town, &bank, brisk(&bank)),
        open_in(&town, &bank, brisk(&bank)),
    );
    bank.set(Moods {
        jitter_ms: 30,
        fail_before: 0.2,
        fail_after: 0.2,
        ..Moods::default()
    })
    .await;
    let keys: Vec<_> = (0..12).map(|_| Uuid::now_v7()).collect();
    let both = keys.iter().flat_map(|key| [a.charge(*key), b.charge(*key)]);
    for said in join_all(both).await {
        assert!(["captured", "payment_pending"].contains(&&*said), "{said}");
    }
    for key in &keys {
        assert_eq!(a.settled(*key).await, "captured");
        assert_eq!(bank.counts(*key).await, (1, 0));
    }
    let both = keys.iter().flat_map(|key| [a.refund(*key), b.refund(*key)]);
    for said in join_all(both).await {
        assert!(["refunded", "refund_pending"].contains(&&*said), "{said}");
    }
    for key in &keys {
        assert_eq!(b.settled(*key).await, "refunded");
        assert_eq!(bank.counts(*key).await, (1, 1));
    }
}

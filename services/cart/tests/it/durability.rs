//! What was answered is there, whatever happens to the process.

use std::sync::atomic::{AtomicBool, Ordering};

use cart::Cart;
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testing::{Process, Town};
use uuid::Uuid;

use crate::basket::Shopper;

const SHOPPERS: usize = 8;
const KILLS: usize = 5;

/// Each shopper puts one more product in as soon as the one before was answered, until there is
/// no answer; gives the last answer.
async fn shop(who: &Shopper, known: Value, answered: &AtomicBool) -> Value {
    let mut known = known;
    loop {
        let version = known["version"].as_u64().unwrap();
        let product = Uuid::from_u128(u128::from(version % 50) + 1);
        let quantity = version / 50 % 99 + 1;
        let Ok(answer) = who.putting(product, quantity).send().await else {
            return known;
        };
        assert_eq!(answer.status(), StatusCode::OK);
        let Ok(cart) = answer.json::<Value>().await else {
            return known;
        };
        assert_eq!(cart["version"], version + 1);
        known = cart;
        answered.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_outlives_kill_9() {
    let town = Town::new();
    let start = || {
        let program = env!("CARGO_BIN_EXE_citywatch-cart");
        Process::start(town.command::<Cart>(program, &json!({})))
    };
    let mut process = start().await;
    let new = || Shopper::new(&town, &process.url);
    let mut shoppers: Vec<_> = (0..SHOPPERS).map(|_| new()).collect();
    let mut known = vec![json!({ "items": [], "version": 0 }); SHOPPERS];
    let mut in_flight = 0;
    for kill in 0..KILLS {
        let answered = AtomicBool::new(false);
        let shopping = shoppers.iter().zip(&known);
        let shopping = shopping.map(|(who, known)| shop(who, known.clone(), &answered));
        let shopping = join_all(shopping);
        let killing = async {
            testing::eventually("somebody is answered", || async {
                answered.load(Ordering::Relaxed).then_some(())
            })
            .await;
            // In the middle of whatever it does then; dropped, it is killed without a word.
            tokio::time::sleep(std::time::Duration::from_millis(37 * kill as u64)).await;
            drop(process);
        };
        let (answers, ()) = tokio::join!(shopping, killing);

        process = start().await;
        for (at, answered) in answers.into_iter().enumerate() {
            shoppers[at].url.clone_from(&process.url);
            let kept = shoppers[at].cart().await;
            let version = |cart: &Value| cart["version"].as_u64().unwrap();
            let ahead = version(&kept) - version(&answered);
            assert!(ahead <= 1, "one was in flight: {answered} {kept}");
            in_flight += ahead;
            if ahead == 0 {
                assert_eq!(kept, answered);
            }
            known[at] = kept;
        }
    }
    let changes: u64 = known
        .iter()
        .map(|cart| cart["version"].as_u64().unwrap())
        .sum();
    println!("{KILLS} kills, {changes} changes, {in_flight} durable and not answered");
    assert!(changes > (SHOPPERS * KILLS) as u64);
}

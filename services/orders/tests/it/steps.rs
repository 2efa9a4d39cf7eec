//! Every step and every undo, twice and failing at each point.

use serde_json::{Value, json};

use crate::peers::Mood::{self, FailsAfter, FailsBefore, HangsAfter, Refuses};
use crate::shop::{Shop, open_with};

/// The way through that a step is on: what has to be refused for it.
fn on_the_way_to(step: &str) -> Option<(&'static str, Mood)> {
    match step {
        "refund" | "release" => Some(("confirm", Refuses(409, "reservation_expired"))),
        _ => None,
    }
}

async fn shop_on_the_way_to(step: &str) -> Shop {
    let shop = open_with(json!({})).await;
    if let Some((what, mood)) = on_the_way_to(step) {
        shop.peers.next(what, &[mood]);
    }
    shop
}

fn assert_end(shop: &Shop, order: &Value, step: &str) {
    let end = match on_the_way_to(step) {
        None => "confirmed",
        Some(_) => "cancelled",
    };
    assert_eq!(order["status"], end, "{step}");
    shop.peers.assert_settled(order);
}

const STEPS: [&str; 5] = ["reserve", "charge", "confirm", "refund", "release"];

#[tokio::test]
async fn every_step_and_every_undo_can_be_done_twice() {
    for step in STEPS {
        for mood in [FailsBefore, FailsAfter] {
            for times in [1, 4] {
                let shop = shop_on_the_way_to(step).await;
                shop.peers.next(step, &vec![mood; times]);
                let order = shop.ordered("k").await;
                assert_end(&shop, &order, step);
                assert_eq!(shop.peers.times_asked(step), times + 1, "{step} {mood:?}");
                let history = shop.history(&order).await;
                let mut once = history.clone();
                once.dedup();
                assert_eq!(history, once, "an event is written once");
            }
        }
    }
}

#[tokio::test]
async fn a_step_that_nobody_answers_is_repeated() {
    for step in STEPS {
        let shop = shop_on_the_way_to(step).await;
        shop.peers.next(step, &[HangsAfter]);
        let order = shop.ordered("k").await;
        assert_end(&shop, &order, step);
    }
}

//! What is remembered is bounded, and never more than happened.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{Connection as _, Row as _};
use uuid::Uuid;

use crate::shelf::{Shelf, open_with, products};

type Pairs = BTreeMap<(Uuid, Uuid), i64>;

/// Counts each pair of an order, as the service should if it forgot nothing.
fn count(pairs: &mut Pairs, order: &[Uuid]) {
    for one in order {
        for other in order.iter().filter(|other| *other != one) {
            *pairs.entry((*one, *other)).or_default() += 1;
        }
    }
}

/// Orders of a few of the products, the first ones more often than the last.
fn orders(seed: u64, of: &[Uuid], many: usize) -> Vec<Vec<Uuid>> {
    let mut random = StdRng::seed_from_u64(seed);
    let order = |_| {
        let size = random.random_range(1..=4);
        let mut order: Vec<Uuid> = (0..size)
            .map(|_| {
                of[random
                    .random_range(0..of.len())
                    .min(random.random_range(0..of.len()))]
            })
            .collect();
        order.sort_unstable();
        order.dedup();
        order
    };
    (0..many).map(order).collect()
}

/// Counts what a viewer's looks tie together: each product with the last distinct ones before it,
/// unless it is one of them.
fn count_looks(pairs: &mut Pairs, looks: &[Uuid], window: usize) {
    for (at, product) in looks.iter().enumerate() {
        let mut before: Vec<Uuid> = Vec::new();
        for other in looks[..at].iter().rev() {
            if before.len() < window && !before.contains(other) {
                before.push(*other);
            }
        }
        if before.contains(product) {
            continue;
        }
        for other in before {
            for pair in [(*product, other), (other, *product)] {
                *pairs.entry(pair).or_default() += 1;
            }
        }
    }
}

async fn kept(shelf: &Shelf, tie: &str) -> Pairs {
    sqlx::any::install_default_drivers();
    let folder = shelf.service.town().folder().display().to_string();
    let file = format!("sqlite://{folder}/recommendations.db");
    let mut rows = sqlx::AnyConnection::connect(&file).await.unwrap();
    let all = format!("SELECT number, product_id, {tie} FROM products");
    let all = sqlx::query(sqlx::AssertSqlSafe(all)).fetch_all(&mut rows);
    let all = all.await.unwrap();
    let id = |row: &AnyRow| -> Uuid { row.get::<String, _>(1).parse().unwrap() };
    let numbers = all.iter().map(|row| (row.get::<i64, _>(0), id(row)));
    let ids: BTreeMap<_, _> = numbers.collect();
    let pairs = all.iter().flat_map(|row| {
        let pairs: Vec<[i64; 3]> = serde_json::from_str(&row.get::<String, _>(2)).unwrap();
        let one = id(row);
        let ids = &ids;
        pairs
            .into_iter()
            .map(move |[other, count, _]| ((one, ids[&other]), count))
    });
    pairs.collect()
}

#[tokio::test]
async fn while_there_is_room_every_pair_is_counted_exactly() {
    let shelf = open_with(json!({})).await;
    let of: [Uuid; 12] = products();
    let mut expected = Pairs::new();
    for order in orders(7, &of, 150) {
        count(&mut expected, &order);
        shelf.order(&order);
    }
    shelf.settled().await;
    assert_eq!(kept(&shelf, "bought").await, expected);
    // Many at once, and the same.
    shelf.rebuild("orders", shelf.orders.head()).await;
    assert_eq!(kept(&shelf, "bought").await, expected);
    for product in of {
        let mut best: Vec<_> = expected
            .iter()
            .filter(|(pair, _)| pair.0 == product)
            .collect();
        best.sort_by_key(|(_, count)| -**count);
        let counts: Vec<_> = best.iter().map(|(_, count)| **count).collect();
        let shown = shelf.also_bought(product).await;
        let shown: Vec<_> = shown.iter().map(|(_, count)| *count).collect();
        assert_eq!(shown, counts, "the most frequent first");
    }
}

#[tokio::test]
async fn each_viewers_looks_are_counted_by_their_window() {
    const WINDOW: usize = 4;
    let shelf = open_with(json!({ "window": WINDOW })).await;
    let of: [Uuid; 9] = products();
    let viewers = ["ada", "bob", "eve"];
    let mut random = StdRng::seed_from_u64(3);
    let mut looks: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
    for _ in 0..400 {
        let viewer = viewers[random.random_range(0..viewers.len())];
        let product = of[random.random_range(0..of.len())];
        looks.entry(viewer).or_default().push(product);
        shelf.look(viewer, &[product]);
    }
    shelf.settled().await;
    let mut expected = Pairs::new();
    for looks in looks.values() {
        count_looks(&mut expected, looks, WINDOW);
    }
    assert_eq!(kept(&shelf, "viewed").await, expected);
    shelf.rebuild("catalog", shelf.catalog.head()).await;
    assert_eq!(kept(&shelf, "viewed").await, expected);
}

#[tokio::test]
async fn a_product_keeps_its_strongest_pairs() {
    const KEPT: usize = 5;
    let shelf = open_with(json!({ "pairs_kept": KEPT })).await;
    let of: [Uuid; 60] = products();
    let [star, friend]: [Uuid; 2] = products();
    let mut happened = Pairs::new();
    // Strong from the beginning.
    for _ in 0..10 {
        count(&mut happened, &[star, friend]);
        shelf.order(&[star, friend]);
    }
    for order in orders(11, &of, 300) {
        // Everybody buys the star, and every third a friend of it.
        let order = [&[star][..], &order].concat();
        count(&mut happened, &order);
        shelf.order(&order);
        if order.len() % 3 == 0 {
            count(&mut happened, &[star, friend]);
            shelf.order(&[star, friend]);
        }
    }
    shelf.settled().await;
    let kept = kept(&shelf, "bought").await;
    for product in of.iter().chain([&star]) {
        let pairs = kept.keys().filter(|(one, _)| one == product).count();
        assert!(pairs <= 2 * KEPT, "{pairs}");
    }
    for (pair, count) in &kept {
        assert!(*count <= happened[pair], "more than happened: {pair:?}");
    }
    // What is strong enough to be kept all the time is counted exactly.
    let of_star = shelf.also_bought(star).await;
    assert_eq!(of_star[0], (friend, happened[&(star, friend)]));
    let page = shelf.service.metrics().await;
    let zero = "citywatch_recommendations_pairs_forgotten_total{tie=\"bought\"} 0\n";
    assert!(!page.contains(zero), "{page}");
}

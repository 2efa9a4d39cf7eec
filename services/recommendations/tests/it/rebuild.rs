use reqwest::Method;
use sqlx::Connection as _;
use testing::eventually;

use crate::shelf::{Shelf, open, products};

impl Shelf {
    pub(crate) async fn rebuild(&self, feed: &str, head: usize) {
        let path = format!("events/feeds/{feed}/rebuild");
        let answer = self.operator(Method::POST, &path).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        eventually("it is built again", async || {
            let consumer = self.consumer(feed).await;
            (consumer["position"] == head).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn what_was_built_is_built_again_from_the_feeds() {
    let shelf = open().await;
    let [a, b, c, d] = products();
    for _ in 0..5 {
        shelf.order(&[a, b, d]);
        shelf.look("ada", &[a, c, b]);
    }
    shelf.look("bob", &[a, b]);
    shelf.change(d, true);
    shelf.settled().await;
    let seen = async || {
        (
            shelf.counts(10).await,
            shelf.also_bought(a).await,
            shelf.also_viewed(a).await,
        )
    };
    let before = seen().await;
    assert_eq!(before.1, [(b, 5)]);
    assert_eq!(before.2, [(b, 2), (c, 1)]);

    // Rows that no event has made, and one that is wrong.
    sqlx::any::install_default_drivers();
    let folder = shelf.service.town().folder().display().to_string();
    let file = format!("sqlite://{folder}/recommendations.db");
    let mut rows = sqlx::AnyConnection::connect(&file).await.unwrap();
    let spoil = [
        "UPDATE products SET orders = 99, bought = '[[1,99,1]]', viewed = '[[1,99,1]]'",
        "INSERT INTO viewers (viewer, products) VALUES ('eve', '[]')",
    ];
    for statement in spoil {
        sqlx::query(statement).execute(&mut rows).await.unwrap();
    }
    assert_ne!(seen().await, before);

    shelf.rebuild("orders", shelf.orders.head()).await;
    let (counts, bought, viewed) = seen().await;
    assert_eq!((&counts, &bought), (&before.0, &before.1));
    assert_ne!(viewed, before.2, "the other feed's is left alone");
    shelf.rebuild("catalog", shelf.catalog.head()).await;
    assert_eq!(seen().await, before);

    // What follows is counted on top.
    shelf.order(&[a, b]);
    shelf.settled().await;
    assert_eq!(shelf.also_bought(a).await, [(b, 6)]);
}

#[tokio::test]
async fn what_is_gone_stays_gone_when_its_end_is_no_longer_in_the_feed() {
    let shelf = open().await;
    let [a, b] = products();
    shelf.change(b, true);
    shelf.look("ada", &[a, b]);
    shelf.order(&[a, b]);
    shelf.settled().await;
    shelf.catalog.truncate(1);
    shelf.rebuild("catalog", shelf.catalog.head()).await;
    shelf.rebuild("orders", shelf.orders.head()).await;
    assert_eq!(shelf.also_viewed(a).await, []);
    assert_eq!(shelf.also_bought(a).await, []);
    assert_eq!(shelf.counts(10).await, [(a, 1), (b, 1)]);
}

use serde_json::json;

use crate::shelf::{open_with, products};

#[tokio::test]
async fn what_is_looked_at_together_is_recommended() {
    let shelf = open_with(json!({ "window": 2 })).await;
    let [a, b, c, d] = products();
    // Two before it are still in the window, the third is not.
    shelf.look("ada", &[a, b, c, d]);
    shelf.look("bob", &[b, a]);
    shelf.settled().await;
    assert_eq!(shelf.also_viewed(a).await, [(b, 2), (c, 1)]);
    assert_eq!(shelf.also_viewed(d).await, [(b, 1), (c, 1)]);
    assert_eq!(shelf.also_bought(a).await, []);
    assert_eq!(shelf.counts(10).await, []);
}

#[tokio::test]
async fn nobody_votes_twice_by_reloading() {
    let shelf = open_with(json!({})).await;
    let [a, b, c] = products();
    shelf.look("ada", &[a, b, b, b, a, b]);
    // Each viewer looks alone.
    shelf.look("bob", &[c]);
    shelf.settled().await;
    assert_eq!(shelf.also_viewed(a).await, [(b, 1)]);
    assert_eq!(shelf.also_viewed(b).await, [(a, 1)]);
    assert_eq!(shelf.also_viewed(c).await, []);
}

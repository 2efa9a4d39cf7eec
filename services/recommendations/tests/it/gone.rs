use crate::shelf::{open, products};

#[tokio::test]
async fn what_is_sold_no_more_is_recommended_no_more() {
    let shelf = open().await;
    let [a, b, c] = products();
    shelf.order(&[a, b, c]);
    shelf.look("ada", &[a, b, c]);
    shelf.settled().await;
    assert_eq!(shelf.also_bought(a).await.len(), 2);

    // An edit takes nothing away.
    shelf.change(a, false);
    shelf.change(b, true);
    shelf.settled().await;
    assert_eq!(shelf.also_bought(a).await, [(c, 1)]);
    assert_eq!(shelf.also_viewed(a).await, [(c, 1)]);
    assert_eq!(shelf.also_bought(b).await, []);
    assert_eq!(shelf.also_viewed(b).await, []);

    // Feeds are read side by side: what happened before may be heard of after.
    shelf.order(&[a, b, c]);
    shelf.look("bob", &[b, a]);
    shelf.settled().await;
    assert_eq!(shelf.also_bought(a).await, [(c, 2)]);
    assert_eq!(shelf.also_viewed(a).await, [(c, 1)]);
    assert_eq!(shelf.also_bought(b).await, []);
    // It was bought all the same.
    assert_eq!(shelf.counts(10).await, [(a, 2), (b, 2), (c, 2)]);
}

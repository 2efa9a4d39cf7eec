use futures_util::future::join_all;
use serde_json::json;
use testing::{Town, assert_problem, eventually};

use crate::warehouse::{books, id, ok, open_in};

/// Half of them ask one instance, half another; each confirms what it got, and each request is
/// sent twice at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_200_who_want_the_last_10_exactly_10_buy() {
    let town = Town::new();
    let settings = json!({ "initial_stock": 10 });
    let one = open_in(&town, settings.clone()).await;
    let other = open_in(&town, settings).await;
    let product = &*id();
    let buys = (0..200).map(async |n| {
        let warehouse = if n % 2 == 0 { &one } else { &other };
        let order = id();
        let items = [(product, 1)];
        let twice = tokio::join!(
            warehouse.reserve(&order, &items),
            warehouse.reserve(&order, &items)
        );
        let statuses = [twice.0.status().as_u16(), twice.1.status().as_u16()];
        if statuses == [409, 409] {
            assert_problem(twice.0, 409, "out_of_stock").await;
            return 0;
        }
        assert!(
            statuses == [201, 200] || statuses == [200, 201],
            "{statuses:?}"
        );
        let twice = tokio::join!(warehouse.confirm(&order), warehouse.confirm(&order));
        assert_eq!(ok(twice.0).await, ok(twice.1).await);
        1
    });
    let bought: i32 = join_all(buys).await.into_iter().sum();
    assert_eq!(bought, 10);
    assert_eq!(one.units(product).await, [0, 0, 10]);
    let reservations = books(&other).await;
    assert_eq!(reservations.len(), 10);
    assert!(reservations.values().all(|state| state == "confirmed"));
}

/// Each wants both products, named in opposite orders; some give theirs back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buyers_of_the_same_products_in_any_order_do_not_block_each_other() {
    let town = Town::new();
    let settings = json!({ "initial_stock": 20, "reservation_ttl_ms": 100 });
    let one = open_in(&town, settings.clone()).await;
    let other = open_in(&town, settings).await;
    let (left, right) = (&*id(), &*id());
    let buys = (0..60).map(async |n| {
        let warehouse = if n % 2 == 0 { &one } else { &other };
        let order = id();
        let mut items = [(left, 1), (right, 1)];
        if n % 4 < 2 {
            items.reverse();
        }
        if warehouse.reserve(&order, &items).await.status() != 201 {
            return 0;
        }
        match n % 3 {
            0 => {
                ok(warehouse.release(&order).await).await;
                0
            }
            // Left to expire.
            1 => 0,
            // Unless it has expired already.
            _ => i64::from(warehouse.confirm(&order).await.status() == 200),
        }
    });
    let bought: i64 = join_all(buys).await.into_iter().sum();
    eventually("what nobody confirmed is given back", async || {
        let units = [one.units(left).await, other.units(right).await];
        (units == [[20 - bought, 0, bought]; 2]).then_some(())
    })
    .await;
}

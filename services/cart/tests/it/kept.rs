//! What an earlier run left in the file.

use app::Timestamp;
use cart::Cart;
use serde_json::json;
use stores::kv;
use telemetry::{Exporter, Service, Telemetry};
use testing::{Town, assert_problem};
use uuid::Uuid;

use crate::basket::{Shopper, holding};

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Writes records as they stand in files out there: this form must always be readable.
async fn leave(town: &Town, records: &[(Uuid, String)]) {
    let builder = Telemetry::builder(Service::new("cart", "0.0.0"));
    let builder = builder.exporter(Exporter::None).without_subscriber();
    let telemetry = builder.build().unwrap();
    let kv = kv::open(&telemetry, "redb:cart.redb", town.folder()).await;
    let kv = kv.unwrap();
    for (member, record) in records {
        let (key, value) = (member.to_string(), record.clone().into_bytes());
        kv.collection("carts").put(&key, value).await.unwrap();
    }
    let ended = kv.ended();
    drop(kv);
    ended.await;
}

#[tokio::test]
async fn carts_that_nobody_touched_for_thirty_days_are_removed() {
    let town = Town::new();
    // Whose cart it is stands in the token, so the shoppers come before the service.
    let mut shoppers: Vec<_> = (0..3).map(|_| Shopper::new(&town, "")).collect();
    let mug = Uuid::now_v7();
    let now = Timestamp::now().micros();
    let record = |days: i64| {
        let touched = now - days * DAY;
        format!("{{\"format\":1,\"version\":7,\"touched_at\":{touched},\"lines\":[[\"{mug}\",3]]}}")
    };
    let records = [record(31), record(29), "{\"format\":1,".to_owned()];
    let records: Vec<_> = shoppers.iter().map(|who| who.id).zip(records).collect();
    leave(&town, &records).await;

    let service = town.start::<Cart>(json!({})).await;
    for shopper in &mut shoppers {
        shopper.url.clone_from(&service.url);
    }
    let [gone, kept, damaged] = &shoppers[..] else {
        panic!("three came");
    };
    testing::eventually("the sweep removes one", || async {
        let page = service.metrics().await;
        page.contains("\ncitywatch_cart_expired_total 1\n")
            .then_some(())
    })
    .await;
    assert_eq!(gone.cart().await, holding(8, &[]));
    assert_eq!(gone.put(mug, 1).await, holding(9, &[(mug, 1)]));
    assert_eq!(kept.cart().await, holding(7, &[(mug, 3)]));
    assert_eq!(kept.put(mug, 4).await, holding(8, &[(mug, 4)]));

    // A damaged one is an error of ours, told in the log with its member.
    assert_problem(damaged.try_put(mug, 1).await, 500, "internal").await;
    let page = service.metrics().await;
    let unreadable = |line: &str| {
        Some(
            line.strip_prefix("citywatch_cart_unreadable_total ")?
                .to_owned(),
        )
    };
    let count = page.lines().find_map(unreadable).unwrap();
    assert!(
        count.parse::<u64>().unwrap() >= 2,
        "the sweep and the request: {count}"
    );
}

#[tokio::test]
async fn a_cart_that_is_looked_at_lives_on() {
    let town = Town::new();
    let mut mina = Shopper::new(&town, "");
    let mug = Uuid::now_v7();
    let touched = Timestamp::now().micros() - 29 * DAY;
    let record = format!(
        "{{\"format\":1,\"version\":7,\"touched_at\":{touched},\"lines\":[[\"{mug}\",3]]}}"
    );
    leave(&town, &[(mina.id, record)]).await;
    let service = town.start::<Cart>(json!({})).await;
    mina.url.clone_from(&service.url);
    assert_eq!(mina.cart().await, holding(7, &[(mug, 3)]));
    let page = service.metrics().await;
    let touches = "db_operation_name=\"COMPARE_AND_SET\",db_collection_name=\"carts\",\
                   db_query_summary=\"COMPARE_AND_SET carts\"} 1\n";
    assert!(page.contains(touches), "{page}");
    assert_eq!(mina.cart().await, holding(7, &[(mug, 3)]));
    assert!(
        service.metrics().await.contains(touches),
        "a second look is no touch"
    );
}

//! One file, one instance.

use cart::Cart;
use serde_json::json;
use testing::{Process, Town};
use uuid::Uuid;

use crate::basket::Shopper;

#[tokio::test]
async fn a_second_instance_is_told_which_setting_to_change() {
    let town = Town::new();
    let command = town.command::<Cart>(env!("CARGO_BIN_EXE_citywatch-cart"), &json!({}));
    let first = Process::start(command).await;
    let mut mina = Shopper::new(&town, &first.url);
    let one = mina.put(Uuid::now_v7(), 1).await;

    let second = town.begin::<Cart>(&json!({})).ready().await;
    let refused = second.err().expect("the file is taken").to_string();
    assert!(refused.contains("cart.redb is in use"), "{refused}");
    assert!(refused.contains("`store_url`"), "{refused}");
    assert_eq!(mina.cart().await, one);

    // What has its own file may run beside it, and what comes after it has its carts.
    let elsewhere = json!({ "store_url": "redb:other.redb" });
    town.start::<Cart>(elsewhere).await.stop().await;
    let ended = first.stop().await;
    assert!(ended.status.success(), "{:?}", ended.said);
    let next = town.start::<Cart>(json!({})).await;
    mina.url.clone_from(&next.url);
    assert_eq!(mina.cart().await, one);
}

#[tokio::test]
async fn what_is_no_store_is_refused() {
    let town = Town::new();
    let file = town.folder().join("cart.redb");
    std::fs::write(&file, "carts, once\n".repeat(1_000)).unwrap();
    let refused = town.begin::<Cart>(&json!({})).ready().await.err().unwrap();
    let said = refused.to_string();
    assert!(said.contains("cart.redb cannot be opened: "), "{said}");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.starts_with("carts, once"), "it was overwritten");

    let shared = json!({ "store_url": "redis://:hunter2@cache/0" });
    let refused = town.begin::<Cart>(&shared).ready().await.err().unwrap();
    let said = refused.to_string();
    assert!(said.contains("supported is redb:<file>"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

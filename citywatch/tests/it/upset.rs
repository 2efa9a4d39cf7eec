//! A bank that declines, and one that forgets to say that it has charged: orders are undone and
//! asked for again, and the ledger is clean.

use serde_json::{Value, json};

use super::harness::City;

#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_lost_by_a_bank_that_declines_and_forgets() {
    let rates = json!({"default": {}, "sign_in": {}, "order": {}}).to_string();
    let variables = [
        ("CITYWATCH_ORDERS__RETRY_MAX_MS", "1000"),
        ("CITYWATCH_GATEWAY__RATES", rates.as_str()),
    ];
    let city = City::raise(&[], &variables).await;
    city.bank(&json!({"delay_ms": 20, "decline": 0.3, "fail_after": 0.2}))
        .await;
    let arguments = ["--rate", "25/s", "--duration", "6s", "--seed", "7"];
    let arguments = [&["load", "--mix", "buy", "--json"][..], &arguments].concat();
    let load = city.citywatch(&arguments).await;
    city.bank(&json!({})).await;
    let report: Value = serde_json::from_slice(&load.stdout).unwrap();
    let orders = &report["orders"];
    println!("orders {orders}");

    let ledger = city.ledger(&["--wait", "30s"]).await;
    city.assert_clean(&ledger);
    // Both ends were reached, by more than one order each: else nothing was tried.
    for end in ["confirmed", "cancelled"] {
        let reached = ledger.1["counts"][end].as_u64().unwrap();
        assert!(reached > 1, "{end}: {:#}\n{orders}", ledger.1);
    }
    city.stop().await;
}

use reqwest::Method;
use serde_json::json;
use testing::Town;
use uuid::Uuid;

use crate::till::{Bank, brisk, open_in, order};

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let town = Town::new();
    let bank = Bank::open(&town).await;
    let mut settings = brisk(&bank);
    // What goes on in the background must not be faster than what is looked at.
    settings["resolve_interval_ms"] = json!(3_600_000);
    let till = open_in(&town, &bank, settings).await;
    let (paid, voided) = (Uuid::now_v7(), Uuid::now_v7());
    let charge = |key: Uuid| {
        let request = till.request(Method::PUT, &format!("charges/{key}"));
        request.json(&order(key))
    };
    let refund = |key: Uuid| till.request(Method::PUT, &format!("refunds/{key}"));
    let calls = [
        (
            charge(paid),
            200,
            "payments PUT /inner/v1/charges/{key}
               payments BEGIN
               payments SELECT charges
               payments INSERT charges
               payments COMMIT
               payments POST /charges
               payments BEGIN
               payments SELECT charges
               payments UPDATE charges
               payments publish payments
               payments INSERT outbox
               payments COMMIT",
        ),
        (
            charge(paid),
            200,
            "payments PUT /inner/v1/charges/{key}
               payments BEGIN
               payments SELECT charges
               payments ROLLBACK",
        ),
        (
            till.request(Method::GET, &format!("charges/{paid}")),
            200,
            "payments GET /inner/v1/charges/{key}
               payments SELECT charges",
        ),
        (
            refund(paid),
            200,
            "payments PUT /inner/v1/refunds/{key}
               payments BEGIN
               payments SELECT charges
               payments UPDATE charges
               payments COMMIT
               payments GET /charges
               payments POST /charges/{id}/refunds
               payments BEGIN
               payments SELECT charges
               payments UPDATE charges
               payments publish payments
               payments INSERT outbox
               payments COMMIT",
        ),
        (
            refund(voided),
            200,
            "payments PUT /inner/v1/refunds/{key}
               payments BEGIN
               payments SELECT charges
               payments INSERT charges
               payments COMMIT",
        ),
    ];
    for (request, status, shape) in calls {
        till.service.traced(request).await.assert(status, shape);
    }
}

use reqwest::Method;
use serde_json::json;

use crate::warehouse::{id, open};

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let warehouse = open().await;
    let (order, given_up, product) = (id(), id(), id());
    let reserve = || warehouse.reservation(&order, &[(&product, 2)]);
    let confirm = format!("{order}/confirm");
    let set = warehouse.admin(Method::PUT, &format!("/{product}"));
    let calls = [
        (
            reserve(),
            201,
            "inventory PUT /inner/v1/reservations/{order_id}
               inventory BEGIN
               inventory SELECT reservations
               inventory UPDATE stock
               inventory INSERT stock
               inventory UPDATE stock
               inventory publish inventory
               inventory INSERT outbox
               inventory INSERT reservations
               inventory COMMIT",
        ),
        (
            reserve(),
            200,
            "inventory PUT /inner/v1/reservations/{order_id}
               inventory BEGIN
               inventory SELECT reservations
               inventory ROLLBACK",
        ),
        (
            warehouse.reservation(&id(), &[(&product, 5_000)]),
            409,
            "inventory PUT /inner/v1/reservations/{order_id}
               inventory BEGIN
               inventory SELECT reservations
               inventory UPDATE stock
               inventory INSERT stock
               inventory ROLLBACK",
        ),
        (
            warehouse.orders(Method::POST, &confirm),
            200,
            "inventory POST /inner/v1/reservations/{order_id}/confirm
               inventory BEGIN
               inventory SELECT reservations
               inventory UPDATE stock
               inventory UPDATE reservations
               inventory COMMIT",
        ),
        (
            warehouse.orders(Method::DELETE, &order),
            409,
            "inventory DELETE /inner/v1/reservations/{order_id}
               inventory BEGIN
               inventory SELECT reservations
               inventory ROLLBACK",
        ),
        (
            warehouse.orders(Method::DELETE, &given_up),
            200,
            "inventory DELETE /inner/v1/reservations/{order_id}
               inventory BEGIN
               inventory SELECT reservations
               inventory INSERT reservations
               inventory COMMIT",
        ),
        (
            set.json(&json!({ "on_hand": 7 })),
            200,
            "inventory PUT /api/admin/stock/{product_id}
               inventory BEGIN
               inventory INSERT stock
               inventory UPDATE stock
               inventory publish inventory
               inventory INSERT outbox
               inventory COMMIT",
        ),
        (
            warehouse.admin(Method::GET, &format!("/{product}")),
            200,
            "inventory GET /api/admin/stock/{product_id}
               inventory SELECT stock",
        ),
        (
            warehouse.operator("stock"),
            200,
            "inventory GET /inner/v1/stock
               inventory SELECT stock",
        ),
        (
            warehouse.operator("reservations"),
            200,
            "inventory GET /inner/v1/reservations
               inventory SELECT reservations",
        ),
    ];
    for (request, status, shape) in calls {
        warehouse
            .service
            .traced(request)
            .await
            .assert(status, shape);
    }
}

use reqwest::Method;
use serde_json::json;

use crate::warehouse::{id, open};
use testing::assert_problem;

/// Each route with all who might try it: who is let in, and how the others are refused.
#[tokio::test]
async fn each_route_is_for_one_kind_of_caller() {
    let warehouse = open().await;
    let town = warehouse.service.town().clone();
    let order = id();
    let reservation = format!("/inner/v1/reservations/{order}");
    let confirm = format!("{reservation}/confirm");
    let product = format!("/api/admin/stock/{}", id());
    let items = json!({ "items": [{ "product_id": id(), "quantity": 1 }] });
    let on_hand = json!({ "on_hand": 1 });
    let nothing = json!({});
    let callers = [
        ("nobody", "missing_token", String::new()),
        ("member", "", town.member_token("0198-member", &[])),
        ("admin", "", town.member_token("0198-admin", &["admin"])),
        ("orders", "", town.service_token("orders", "inventory")),
        ("cart", "", town.service_token("cart", "inventory")),
        ("misdirected", "", town.service_token("orders", "payments")),
        ("operator", "", town.operator_token().to_owned()),
    ];
    for (method, path, body, let_in) in [
        (Method::PUT, &*reservation, &items, "orders"),
        (Method::POST, &confirm, &nothing, "orders"),
        (Method::DELETE, &reservation, &nothing, "orders"),
        (Method::GET, "/inner/v1/reservations", &nothing, "operator"),
        (Method::GET, "/inner/v1/stock", &nothing, "operator"),
        (Method::GET, "/api/admin/stock", &nothing, "admin"),
        (Method::GET, &product, &nothing, "admin"),
        (Method::PUT, &product, &on_hand, "admin"),
    ] {
        // The one who is let in comes last: the others have changed nothing that it meets.
        let mut callers: Vec<_> = callers.iter().collect();
        callers.sort_by_key(|(who, ..)| *who == let_in);
        for (who, code, token) in callers {
            let mut request = warehouse.anyone(method.clone(), path).json(body);
            if !token.is_empty() {
                request = request.bearer_auth(token);
            }
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            if *who == let_in {
                assert!(
                    matches!(status, 200 | 201 | 409),
                    "{method} {path}: {status}"
                );
                continue;
            }
            // Known callers who may not do this are 403, all others 401.
            let known = match let_in {
                "orders" => *who == "cart",
                "admin" => *who == "member",
                _ => false,
            };
            assert_eq!(
                status,
                if known { 403 } else { 401 },
                "{method} {path} {who}"
            );
            if known {
                assert_problem(response, 403, "forbidden").await;
            } else if !code.is_empty() {
                assert_problem(response, 401, code).await;
            }
        }
    }
    let page = warehouse.service.metrics().await;
    let line = "citywatch_inventory_reserve_requests_total{outcome=\"held\"} 1";
    assert!(page.contains(line), "{page}");
}

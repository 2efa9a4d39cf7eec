use reqwest::Method;
use uuid::Uuid;

use crate::basket::{Shopper, inner, open};

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let service = open().await;
    let mina = Shopper::of(&service);
    let mug = Uuid::now_v7();
    let item = format!("/items/{mug}");
    let orders = |method| inner(&service, "orders", method, mina.id);
    let calls = [
        (
            mina.request(Method::GET, ""),
            200,
            "cart GET /api/cart
               cart GET carts
               cart GET counters",
        ),
        (
            mina.putting(mug, 1),
            200,
            "cart PUT /api/cart/items/{product_id}
               cart GET carts
               cart GET counters
               cart COMPARE_AND_SET carts",
        ),
        (
            mina.putting(mug, 2),
            200,
            "cart PUT /api/cart/items/{product_id}
               cart GET carts
               cart COMPARE_AND_SET carts",
        ),
        (
            orders(Method::GET),
            200,
            "cart GET /inner/v1/carts/{member_id}
               cart GET carts",
        ),
        (
            orders(Method::DELETE).query(&[("version", 1)]),
            204,
            "cart DELETE /inner/v1/carts/{member_id}
               cart GET carts",
        ),
        (
            orders(Method::DELETE).query(&[("version", 2)]),
            204,
            "cart DELETE /inner/v1/carts/{member_id}
               cart GET carts
               cart COMPARE_AND_SET carts",
        ),
        (
            mina.request(Method::DELETE, &item),
            200,
            "cart DELETE /api/cart/items/{product_id}
               cart GET carts",
        ),
        (
            mina.request(Method::DELETE, ""),
            204,
            "cart DELETE /api/cart
               cart GET carts",
        ),
    ];
    for (request, status, shape) in calls {
        service.traced(request).await.assert(status, shape);
    }

    let spans = service.spans().await;
    let write = spans
        .iter()
        .find(|span| span.name == "COMPARE_AND_SET carts");
    let write = write.unwrap();
    for (attribute, value) in [
        ("db.system.name", "redb"),
        ("db.namespace", "cart.redb"),
        ("db.operation.name", "COMPARE_AND_SET"),
        ("db.collection.name", "carts"),
    ] {
        assert_eq!(write.text(attribute), Some(value));
    }
    // Whose cart it is and what is in it are nobody's business; paths are templates.
    let attributes: Vec<_> = spans
        .iter()
        .filter(|span| span.text("db.system.name").is_some())
        .collect();
    let shown = format!("{attributes:?}");
    assert!(!shown.contains(&mina.id.to_string()) && !shown.contains(&mug.to_string()));
    // The sweep at the start is nobody's request.
    assert!(
        spans.iter().all(|span| span.parent_span_id.is_some()),
        "{spans:?}"
    );
}

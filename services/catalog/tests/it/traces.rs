use reqwest::Method;
use serde_json::json;
use testing::Town;

use crate::shop::{draft, open_in};

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    // What follows edits of its own accord must not be faster than the edit that shows itself.
    let shop = open_in(&Town::new(), json!({ "follow_interval_ms": 3_600_000 })).await;
    let service = &shop.service;
    let get = |path: &str| service.http.get(format!("{}{path}", service.url));

    let goose = draft("황금 거위", "Golden Goose");
    let added = service
        .traced(shop.edit(Method::POST, "").json(&goose))
        .await;
    added.assert(
        201,
        "catalog POST /api/admin/products
           catalog BEGIN
           catalog UPDATE catalog_head
           catalog INSERT products
           catalog COMMIT
           catalog SELECT products
           catalog SELECT categories
           catalog SELECT products",
    );
    let id = added.body["id"].as_str().unwrap();
    let path = format!("/{id}");
    let stale = shop.edit(Method::PUT, &path).header("if-match", "\"7\"");
    let edit = shop.edit(Method::PUT, &path).header("if-match", "\"1\"");
    let calls = [
        (
            get(&format!("/api/products/{id}")),
            200,
            "catalog GET /api/products/{id}
               catalog SELECT products",
        ),
        (
            get("/api/products").query(&[("query", "goose")]),
            200,
            "catalog GET /api/products
               catalog search index",
        ),
        (
            get("/api/categories"),
            200,
            "catalog GET /api/categories
               catalog SELECT categories",
        ),
        (
            shop.as_service("orders")
                .query(&[("ids", &format!("{id},{id},{id}"))]),
            200,
            "catalog GET /inner/v1/prices
               catalog SELECT products",
        ),
        (
            stale.json(&goose),
            412,
            "catalog PUT /api/admin/products/{id}
               catalog BEGIN
               catalog UPDATE catalog_head
               catalog SELECT products",
        ),
        (
            edit.json(&goose),
            200,
            "catalog PUT /api/admin/products/{id}
               catalog BEGIN
               catalog UPDATE catalog_head
               catalog SELECT products
               catalog UPDATE products
               catalog COMMIT
               catalog SELECT products
               catalog SELECT categories
               catalog SELECT products",
        ),
        (
            shop.edit(Method::DELETE, &path),
            204,
            "catalog DELETE /api/admin/products/{id}
               catalog BEGIN
               catalog UPDATE catalog_head
               catalog SELECT products
               catalog UPDATE products
               catalog COMMIT
               catalog SELECT products
               catalog SELECT categories
               catalog SELECT products",
        ),
    ];
    for (request, status, shape) in calls {
        service.traced(request).await.assert(status, shape);
    }
}

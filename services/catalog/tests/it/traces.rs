use reqwest::Method;
use serde_json::json;
use testing::{Town, Traced};

use crate::shop::{draft, open_in};

/// An edit: these spans, and then its replica's index takes it in, unless what follows the outbox
/// was quicker and there is nothing left to take.
fn assert_edit(edit: &Traced, statements: &[&str]) {
    assert!(edit.status.is_success(), "{}", edit.body);
    edit.tree.assert_no_error();
    let spans = edit.tree.spans().iter();
    let mut names: Vec<_> = spans.map(|span| span.name.as_str()).skip(1).collect();
    let taken_in = names.split_off(statements.len());
    assert_eq!(names, statements, "{}", edit.tree);
    let (here, elsewhere) = (
        ["SELECT products", "SELECT categories", "SELECT products"],
        ["SELECT products"],
    );
    assert!(taken_in == here || taken_in == elsewhere, "{}", edit.tree);
}

#[tokio::test]
async fn each_edit_is_one_tree_with_its_event() {
    let shop = open_in(&Town::new(), json!({})).await;
    let goose = draft("황금 거위", "Golden Goose");
    let added = shop.edit(Method::POST, "").json(&goose);
    let added = shop.service.traced(added).await;
    assert_edit(
        &added,
        &[
            "BEGIN",
            "UPDATE catalog_head",
            "INSERT products",
            "publish catalog",
            "INSERT outbox",
            "COMMIT",
        ],
    );
    let path = format!("/{}", added.body["id"].as_str().unwrap());
    let edit = shop.edit(Method::PUT, &path).header("if-match", "\"1\"");
    let statements = [
        "BEGIN",
        "UPDATE catalog_head",
        "SELECT products",
        "UPDATE products",
        "publish catalog",
        "INSERT outbox",
        "COMMIT",
    ];
    assert_edit(&shop.service.traced(edit.json(&goose)).await, &statements);
    let delete = shop.edit(Method::DELETE, &path);
    assert_edit(&shop.service.traced(delete).await, &statements);
}

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let shop = open_in(&Town::new(), json!({})).await;
    let service = &shop.service;
    let get = |path: &str| service.http.get(format!("{}{path}", service.url));
    let goose = draft("황금 거위", "Golden Goose");
    let added = shop.add("황금 거위", "Golden Goose").await;
    let id = added["id"].as_str().unwrap();
    let path = format!("/{id}");
    let stale = shop.edit(Method::PUT, &path).header("if-match", "\"7\"");
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
    ];
    for (request, status, shape) in calls {
        service.traced(request).await.assert(status, shape);
    }
}

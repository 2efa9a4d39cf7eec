use catalog::Catalog;
use reqwest::Method;
use serde_json::json;
use testing::{Town, assert_problem};

use crate::shop::{draft, open, open_in};

#[test]
fn the_interface_is_the_one_checked_in() {
    testing::openapi::assert_current::<Catalog>(env!("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn metrics_are_born_at_zero_and_count() {
    let shop = open().await;
    let page = shop.service.metrics().await;
    for outcome in ["found", "empty", "refused", "failed"] {
        let line = format!("citywatch_catalog_searches_total{{outcome=\"{outcome}\"}} 0");
        assert!(page.contains(&line), "{page}");
    }
    for outcome in ["published", "buffer_full", "store_failed", "stopping"] {
        let line = format!("citywatch_catalog_views_total{{outcome=\"{outcome}\"}} 0");
        assert!(page.contains(&line), "{page}");
    }
    assert!(
        page.contains("\ncitywatch_catalog_index_documents 300\n"),
        "{page}"
    );
    assert!(
        page.contains("\ncitywatch_catalog_index_lag_seconds 0\n"),
        "{page}"
    );

    shop.list(&[("query", "coffee")]).await;
    shop.list(&[("query", "없는상품이름")]).await;
    shop.try_list(&[("query", "coffee"), ("limit", "0")]).await;
    shop.list(&[]).await;
    shop.add("가", "One").await;
    let page = shop.service.metrics().await;
    for line in [
        "citywatch_catalog_searches_total{outcome=\"found\"} 1",
        "citywatch_catalog_searches_total{outcome=\"empty\"} 1",
        "citywatch_catalog_searches_total{outcome=\"refused\"} 1",
        "citywatch_catalog_searches_total{outcome=\"failed\"} 0",
        "citywatch_catalog_index_documents 301",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
}

#[tokio::test]
async fn a_trace_shows_where_the_time_goes() {
    let shop = open_in(&Town::new(), json!({})).await;
    shop.list(&[("query", "coffee")]).await;
    shop.send(Method::POST, "", &[], Some(&draft("가", "One")))
        .await;
    let spans = shop.service.spans().await;
    let named = |name: &str| spans.iter().find(|span| span.name == name);
    let server = named("GET /api/products").expect("a server span");
    let search = named("search index").expect("a search span");
    assert_eq!(search.parent_span_id, Some(server.span_id));

    let server = named("POST /api/admin/products").expect("a server span");
    let insert = named("INSERT products").expect("a statement span");
    assert_eq!(insert.trace_id, server.trace_id);
    for (attribute, value) in [
        ("db.system.name", "sqlite"),
        ("db.operation.name", "INSERT"),
        ("db.collection.name", "products"),
    ] {
        assert_eq!(insert.text(attribute), Some(value));
    }
    for name in ["BEGIN", "UPDATE catalog_head", "COMMIT"] {
        assert_eq!(named(name).expect(name).trace_id, server.trace_id);
    }
    // Following other replicas is nobody's request.
    let roots = spans.iter().filter(|span| span.parent_span_id.is_none());
    assert!(
        roots.clone().all(|span| span.name.contains("/api/")),
        "{spans:?}"
    );
}

#[tokio::test]
async fn a_statement_that_fails_says_so_in_its_span() {
    let shop = open().await;
    let mut draft = draft("가", "One");
    draft["category"] = json!("nowhere");
    let response = shop.send(Method::POST, "", &[], Some(&draft)).await;
    assert_problem(response, 422, "unknown_category").await;
    let spans = shop.service.spans().await;
    let insert = spans.iter().find(|span| span.name == "INSERT products");
    let insert = insert.expect("a statement span");
    assert!(insert.is_error());
    // SQLITE_CONSTRAINT_FOREIGNKEY
    assert_eq!(insert.text("error.type"), Some("787"));
}

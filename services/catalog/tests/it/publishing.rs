//! What the catalog tells others.

use reqwest::Method;
use serde_json::{Value, json};
use telemetry::context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState, traceparent};
use telemetry::testing::Tree;
use testing::{Town, assert_problem, eventually};

use crate::shop::{Shop, draft, open, open_in};

impl Shop {
    /// All that recommendations can read.
    async fn feed(&self) -> Vec<Value> {
        let url = format!("{}/inner/v1/feed?limit=1000", self.service.url);
        let token = self
            .service
            .town()
            .service_token("recommendations", "catalog");
        let request = self.service.http.get(url).bearer_auth(token);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The bodies of the events of a type, once there are so many.
    async fn told(&self, kind: &str, many: usize) -> Vec<Value> {
        let kind = format!("citywatch.catalog.{kind}.v1");
        eventually("the events are in the feed", async || {
            let events = self.feed().await;
            let of_kind = events.into_iter().filter(|event| event["type"] == *kind);
            let of_kind: Vec<_> = of_kind.collect();
            (of_kind.len() == many).then_some(of_kind)
        })
        .await
    }

    async fn look(&self, id: &str, token: Option<&str>) {
        let url = format!("{}/api/products/{id}", self.service.url);
        let mut request = self.service.http.get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

fn views(page: &str, outcome: &str) -> u64 {
    let name = format!("\ncitywatch_catalog_views_total{{outcome=\"{outcome}\"}} ");
    let (_, rest) = page.split_once(&name).unwrap();
    rest.lines().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_edit_is_told_of_and_no_try() {
    let shop = open().await;
    let added = shop.add("황금 거위", "Golden Goose").await;
    let id = added["id"].as_str().unwrap();
    let path = format!("/{id}");
    let edit = draft("은 거위", "Silver Goose");
    let tag = [("if-match", "\"1\"")];
    let edited = shop.send(Method::PUT, &path, &tag, Some(&edit)).await;
    assert_eq!(edited.status(), 200);
    let stale = shop.send(Method::PUT, &path, &tag, Some(&edit)).await;
    assert_problem(stale, 412, "version_conflict").await;
    let mut nowhere = edit.clone();
    nowhere["category"] = json!("nowhere");
    let refused = shop.send(Method::POST, "", &[], Some(&nowhere)).await;
    assert_problem(refused, 422, "unknown_category").await;
    let deleted = shop.send(Method::DELETE, &path, &[], None).await;
    assert_eq!(deleted.status(), 204);

    // The first products are there already when the first event is published.
    let told = shop.told("ProductChanged", 3).await;
    let changes: Vec<_> = told.iter().map(|event| event["data"].clone()).collect();
    let change = |revision: u64, deleted: bool| json!({ "product_id": id, "revision": revision, "deleted": deleted });
    // A number that was taken by a try went back with it.
    let expected = [change(301, false), change(302, false), change(303, true)];
    assert_eq!(changes, expected);
    assert!(told.iter().all(|event| event["subject"] == id));
}

#[tokio::test]
async fn the_feed_is_for_recommendations_alone() {
    let shop = open().await;
    let url = format!("{}/inner/v1/feed", shop.service.url);
    let town = shop.service.town();
    for (token, status) in [
        (town.service_token("orders", "catalog"), 403),
        (town.service_token("recommendations", "orders"), 401),
        (town.member_token("0198-admin", &["admin"]), 401),
    ] {
        let request = shop.service.http.get(&url).bearer_auth(token);
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn a_members_look_is_told_of_in_its_trace() {
    let shop = open().await;
    let id = &shop.walk(&[("limit", "100"), ("category", "books")]).await[0];
    let caller = SpanContext {
        trace_id: TraceId::random(),
        span_id: SpanId::random(),
        flags: TraceFlags::SAMPLED,
        tracestate: TraceState::NONE,
    };
    let token = shop.service.town().member_token("0198-ada", &[]);
    let url = format!("{}/api/products/{id}", shop.service.url);
    let look = shop.service.http.get(url).bearer_auth(&token);
    let look = look.header("traceparent", &traceparent(&caller)[..]);
    assert_eq!(look.send().await.unwrap().status(), 200);

    let told = shop.told("ProductViewed", 1).await;
    let body = json!({ "product_id": id, "viewer": "0198-ada" });
    assert_eq!(told[0]["data"], body);
    assert_eq!(told[0]["subject"], "0198-ada");
    let spans = eventually("it is published in the trace", async || {
        let mut spans = shop.service.spans().await;
        spans.retain(|span| span.trace_id == caller.trace_id);
        spans
            .iter()
            .any(|span| span.name == "flush view")
            .then_some(spans)
    })
    .await;
    let tree = Tree::under(caller.span_id, spans);
    tree.assert_edge("GET /api/products/{id}", "flush view");
    tree.assert_edge("flush view", "publish catalog");
    let publish = tree.span("publish catalog");
    let sent_by = told[0]["traceparent"].as_str().unwrap();
    assert!(sent_by.contains(&publish.span_id.to_string()), "{sent_by}");
}

#[tokio::test]
async fn who_looks_without_a_valid_token_is_nobody() {
    let shop = open().await;
    let id = &shop.walk(&[("limit", "100"), ("category", "books")]).await[0];
    shop.look(id, None).await;
    let strange = Town::new().member_token("0198-eve", &[]);
    shop.look(id, Some(&strange)).await;
    let unknown = "/api/products/00000000-0000-7000-8000-000000000000";
    let ada = shop.service.town().member_token("0198-ada", &[]);
    let url = format!("{}{unknown}", shop.service.url);
    let missed = shop.service.http.get(url).bearer_auth(&ada).send().await;
    assert_problem(missed.unwrap(), 404, "unknown_product").await;
    // What is told of comes after what is not.
    shop.look(id, Some(&ada)).await;
    let told = shop.told("ProductViewed", 1).await;
    assert_eq!(told[0]["data"]["viewer"], "0198-ada");
}

#[tokio::test]
async fn looks_that_do_not_fit_are_dropped_and_counted_and_the_rest_outlives_a_stop() {
    let town = Town::new();
    // After the first flush nothing is flushed for an hour.
    let settings = json!({ "views_buffer": 2, "views_flush_ms": 3_600_000 });
    let shop = open_in(&town, settings).await;
    let id = shop.walk(&[("limit", "100"), ("category", "books")]).await[0].clone();
    let token = town.member_token("0198-ada", &[]);
    shop.look(&id, Some(&token)).await;
    eventually("the first is published", async || {
        (views(&shop.service.metrics().await, "published") == 1).then_some(())
    })
    .await;
    for _ in 0..5 {
        shop.look(&id, Some(&token)).await;
    }
    let page = shop.service.metrics().await;
    assert_eq!(views(&page, "buffer_full"), 3);
    assert_eq!(views(&page, "published"), 1);
    shop.service.stop().await;
    let shop = open_in(&town, json!({})).await;
    shop.told("ProductViewed", 3).await;
}

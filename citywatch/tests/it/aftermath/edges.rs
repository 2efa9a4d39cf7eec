//! One test for each edge by which an event of one service becomes an effect in another: from what
//! a member or an admin does to what they see of it.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::super::harness::{City, within};
use super::{FOLLOWS, QUICK_PARCELS, kinds};

/// A city in which something has happened, and who did it.
struct Story<'a> {
    city: &'a City,
    /// Mina, who buys.
    token: String,
    member: String,
    admin: String,
    products: Vec<String>,
    /// Two products, bought together, and on their way.
    order: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_edge_of_the_asynchronous_half_carries_its_events() {
    let city = City::raise(&["--replicas", "catalog=2"], &QUICK_PARCELS).await;
    let story = begin(&city).await;
    let mut tested = BTreeSet::new();
    macro_rules! edge {
        ($consumer:literal <- $producer:literal, $test:ident) => {
            $test(&story).await;
            println!("{} <- {}: {}", $consumer, $producer, stringify!($test));
            tested.insert(($consumer.to_owned(), $producer.to_owned()));
        };
    }
    edge!("shipping" <- "orders", a_confirmed_order_becomes_a_parcel);
    edge!("orders" <- "shipping", an_order_knows_where_its_parcel_is);
    edge!("notifications" <- "users", whoever_signs_up_is_welcomed);
    edge!("notifications" <- "orders", a_member_is_told_how_an_order_ended);
    edge!("notifications" <- "shipping", a_member_is_told_where_the_parcel_is);
    edge!("notifications" <- "payments", a_member_is_told_that_money_went_back);
    edge!("recommendations" <- "orders", what_is_bought_together_is_recommended);
    edge!("recommendations" <- "catalog", what_one_member_looks_at_is_recommended);
    edge!("catalog" <- "inventory", what_is_sold_out_is_listed_so);
    every_replica_follows_its_own_feed(&story).await;

    // What the city says of itself is what was tested: no edge without a test.
    let standings = city.standings().await;
    let services = standings["services"].as_array().unwrap();
    let known: BTreeSet<(String, String)> = services
        .iter()
        .flat_map(|service| {
            let consumers = service["consumers"].as_array().unwrap().iter();
            consumers.map(|consumer| (text(&service["service"]), text(&consumer["feed"])))
        })
        .collect();
    assert_eq!(tested, known, "{standings:#}");
    let ledger = city.ledger(&["--wait", "60s", "--strangers"]).await;
    city.assert_clean(&ledger);
    city.stop().await;
}

async fn begin(city: &City) -> Story<'_> {
    let token = city.member("mina@example.com").await;
    let me = city.ask(Method::GET, "/api/users/me", &token, None).await;
    let me: Value = me.unwrap().json().await.unwrap();
    let products = city.products().await;
    for product in &products[..2] {
        let filled = city.put_in_cart(&token, product, 1).await;
        assert_eq!(filled.status(), StatusCode::OK, "{}", city.said());
    }
    let order = city.order(&token, "both", &json!({})).await.unwrap();
    let order: Value = order.json().await.unwrap();
    let order = text(&order["id"]);
    assert_eq!(city.outcome(&token, &order).await["status"], "confirmed");
    Story {
        city,
        token,
        member: text(&me["id"]),
        admin: city.admin().await,
        products,
        order,
    }
}

async fn a_confirmed_order_becomes_a_parcel(story: &Story<'_>) {
    let Story {
        city, token, order, ..
    } = story;
    let path = format!("/api/shipments/{order}");
    let parcel = city
        .until(token, &path, |parcel| parcel["state"] == "delivered")
        .await;
    assert_eq!(parcel["order_id"], *order, "{parcel}");
    let times = ["created_at", "dispatched_at", "delivered_at"].map(|at| text(&parcel[at]));
    assert!(times.is_sorted() && !times[0].is_empty(), "{parcel}");
    // Of another's parcel nobody learns anything.
    let answer = city.ask(Method::GET, &path, &story.admin, None).await;
    assert_eq!(answer.unwrap().status(), StatusCode::NOT_FOUND);
}

async fn an_order_knows_where_its_parcel_is(story: &Story<'_>) {
    let path = format!("/api/orders/{}", story.order);
    let there = |order: &Value| order["status"] == "delivered";
    story.city.until(&story.token, &path, there).await;
}

async fn whoever_signs_up_is_welcomed(story: &Story<'_>) {
    let told = |page: &Value| kinds(page, &story.member) == ["welcome"];
    story
        .city
        .until(&story.token, "/api/notifications", told)
        .await;
}

async fn a_member_is_told_how_an_order_ended(story: &Story<'_>) {
    let Story {
        city, token, order, ..
    } = story;
    let confirmed = |page: &Value| kinds(page, order).contains(&"order_confirmed".to_owned());
    let page = city.until(token, "/api/notifications", confirmed).await;
    let items = page["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["kind"] == "order_confirmed");
    for language in ["ko", "en"] {
        assert_ne!(text(&item.unwrap()["text"][language]), "", "{page:#}");
    }
    city.bank(&json!({"decline": 1.0})).await;
    let declined = city.buy(token, &story.products[0], "declined").await.1;
    let declined = text(&declined["id"]);
    assert_eq!(city.outcome(token, &declined).await["status"], "cancelled");
    city.bank(&json!({})).await;
    // No money was taken, and none goes back: nothing else is told.
    let told = |page: &Value| kinds(page, &declined) == ["order_cancelled"];
    city.until(token, "/api/notifications", told).await;
}

async fn a_member_is_told_where_the_parcel_is(story: &Story<'_>) {
    let all = [
        "order_confirmed",
        "shipment_delivered",
        "shipment_dispatched",
    ];
    let told = |page: &Value| kinds(page, &story.order) == all;
    story
        .city
        .until(&story.token, "/api/notifications", told)
        .await;
}

/// The bank charges, and takes so long to say so that orders gives up and has the money given back.
async fn a_member_is_told_that_money_went_back(story: &Story<'_>) {
    let Story { city, token, .. } = story;
    let impatient = ["give_up_ms=200", "answer_within_ms=100"];
    city.prints(&[&["config", "set", "orders"][..], &impatient].concat())
        .await;
    let mut order = String::new();
    let mut number = 0;
    let refunded = within(FOLLOWS, async || {
        // On a busy machine an order may end before the bank is asked, or in spite of its delay.
        number += 1;
        city.bank(&json!({"delay_ms": 600, "hang_after": 1.0}))
            .await;
        let key = format!("given-up-{number}");
        order = text(&city.buy(token, &story.products[0], &key).await.1["id"]);
        let path = format!("/api/orders/{order}/history");
        let turned = |log: &Value| has_event(log, "compensating") || has_event(log, "confirmed");
        city.until(token, &path, turned).await;
        city.bank(&json!({})).await;
        city.outcome(token, &order).await;
        let log = city.until(token, &path, |_| true).await;
        let items = log["items"].as_array().into_iter().flatten();
        let mut items = items.filter(|item| item["type"] == "refunded");
        items
            .next()
            .is_some_and(|item| item["outcome"] == "refunded")
    });
    assert!(refunded.await.is_some(), "{}", city.said());
    let patient = ["give_up_ms=", "answer_within_ms="];
    city.prints(&[&["config", "set", "orders"][..], &patient].concat())
        .await;
    let both = |page: &Value| kinds(page, &order) == ["order_cancelled", "payment_refunded"];
    city.until(token, "/api/notifications", both).await;
}

fn has_event(log: &Value, kind: &str) -> bool {
    let items = log["items"].as_array().into_iter().flatten();
    items.into_iter().any(|item| item["type"] == kind)
}

async fn what_is_bought_together_is_recommended(story: &Story<'_>) {
    let Story {
        city,
        token,
        products,
        ..
    } = story;
    let path = format!("/api/products/{}/recommendations", products[0]);
    let page = city
        .until(token, &path, |page| has(page, "also_bought", &products[1]))
        .await;
    assert_eq!(page["also_bought"][0]["count"], 1, "{page:#}");
}

async fn what_one_member_looks_at_is_recommended(story: &Story<'_>) {
    let Story {
        city,
        token,
        products,
        ..
    } = story;
    let [one, other] = [&products[2], &products[3]];
    let path = format!("/api/products/{one}/recommendations");
    for product in [one, other] {
        let path = format!("/api/products/{product}");
        let seen = city.ask(Method::GET, &path, token, None).await.unwrap();
        assert_eq!(seen.status(), StatusCode::OK);
    }
    city.until(token, &path, |page| has(page, "also_viewed", other))
        .await;
    // What is sold no more is recommended no more.
    let gone = format!("/api/admin/products/{other}");
    let gone = city
        .ask(Method::DELETE, &gone, &story.admin, None)
        .await
        .unwrap();
    assert!(gone.status().is_success(), "{}", gone.status());
    city.until(token, &path, |page| {
        page["also_viewed"].is_array() && !has(page, "also_viewed", other)
    })
    .await;
}

async fn what_is_sold_out_is_listed_so(story: &Story<'_>) {
    let Story {
        city,
        token,
        products,
        ..
    } = story;
    let product = &products[4];
    for on_hand in [0, 7] {
        let shelf = format!("/api/admin/stock/{product}");
        let body = json!({ "on_hand": on_hand });
        let set = city
            .ask(Method::PUT, &shelf, &story.admin, Some(&body))
            .await;
        assert_eq!(set.unwrap().status(), StatusCode::OK, "{}", city.said());
        let listed = |page: &Value| {
            let items = page["items"].as_array().into_iter().flatten();
            let mut items = items.filter(|item| item["id"] == **product);
            items
                .next()
                .is_some_and(|item| item["in_stock"] == (on_hand > 0))
        };
        city.until(token, "/api/products?limit=100", listed).await;
    }
}

/// Each catalog answers from an index of its own, which its own feed keeps current.
async fn every_replica_follows_its_own_feed(story: &Story<'_>) {
    let Story { city, products, .. } = story;
    let known = format!("/api/products/{}", products[0]);
    let known = city
        .until(&story.admin, &known, |known| known["id"] == products[0])
        .await;
    let word = "quasarlamp";
    let draft = json!({
        "name": {"ko": word, "en": word}, "description": known["description"],
        "category": known["category"], "price": known["price"],
    });
    let path = "/api/admin/products";
    let made = city
        .ask(Method::POST, path, &story.admin, Some(&draft))
        .await
        .unwrap();
    assert_eq!(
        made.status(),
        StatusCode::CREATED,
        "{:?}",
        made.text().await
    );
    let made: Value = made.json().await.unwrap();
    for replica in ["catalog-1", "catalog-2"] {
        let state = city.state();
        let address = text(&state["processes"][replica]["public"]);
        let url = format!("http://{address}/api/products?query={word}");
        let found = within(FOLLOWS, async || {
            let Ok(answer) = city.http.get(&url).send().await else {
                return false;
            };
            let page: Value = answer.json().await.unwrap_or_default();
            page["items"][0]["id"] == made["id"]
        });
        assert!(found.await.is_some(), "{replica}\n{}", city.said());
    }
}

fn has(page: &Value, list: &str, product: &str) -> bool {
    let items = page[list].as_array().into_iter().flatten();
    items.into_iter().any(|item| item["product_id"] == product)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

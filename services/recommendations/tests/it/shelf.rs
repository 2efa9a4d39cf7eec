//! The service as its users meet it, between the feeds of two producers that the test plays.

use recommendations::Recommendations;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testing::{Feed, Published, Running, Town, eventually};
use uuid::Uuid;

pub(crate) struct Shelf {
    pub(crate) service: Running,
    pub(crate) orders: Feed,
    pub(crate) catalog: Feed,
}

pub(crate) async fn open() -> Shelf {
    open_with(json!({})).await
}

pub(crate) async fn open_with(settings: Value) -> Shelf {
    let town = Town::new();
    let orders = Feed::open(&town, "orders").await;
    let catalog = Feed::open(&town, "catalog").await;
    open_between(&town, orders, catalog, settings).await
}

/// One instance that follows these feeds.
pub(crate) async fn open_between(
    town: &Town,
    orders: Feed,
    catalog: Feed,
    mut settings: Value,
) -> Shelf {
    let mut instances = orders.instances();
    instances.extend(catalog.instances());
    settings["instances"] = json!(instances);
    Shelf {
        service: town.start::<Recommendations>(settings).await,
        orders,
        catalog,
    }
}

/// `n` ids of products, ascending.
pub(crate) fn products<const N: usize>() -> [Uuid; N] {
    let mut ids = std::array::from_fn(|_| Uuid::now_v7());
    ids.sort_unstable();
    ids
}

impl Shelf {
    /// An order of these products is confirmed.
    pub(crate) fn order(&self, products: &[Uuid]) -> Published {
        let order = Uuid::now_v7().to_string();
        let krw = |amount: i64| json!({ "amount": amount, "currency": "KRW" });
        let item = |product: &Uuid| {
            json!({
                "product_id": product, "name": { "ko": "컵", "en": "Mug" },
                "quantity": 3, "price": krw(1_000),
            })
        };
        let items: Vec<_> = products.iter().map(item).collect();
        let body = json!({
            "order_id": order, "member_id": "ada", "items": items, "total": krw(1),
        });
        self.orders
            .publish("orders.OrderConfirmed.v1", &order, &body)
    }

    /// A member looks at these products, one after the other.
    pub(crate) fn look(&self, viewer: &str, products: &[Uuid]) {
        for product in products {
            let body = json!({ "product_id": product, "viewer": viewer });
            self.catalog
                .publish("catalog.ProductViewed.v1", viewer, &body);
        }
    }

    pub(crate) fn change(&self, product: Uuid, deleted: bool) {
        let body = json!({ "product_id": product, "revision": 1, "deleted": deleted });
        let subject = product.to_string();
        self.catalog
            .publish("catalog.ProductChanged.v1", &subject, &body);
    }

    pub(crate) fn operator(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/inner/v1/{path}", self.service.url);
        let request = self.service.http.request(method, url);
        request.bearer_auth(self.service.town().operator_token())
    }

    /// How it stands with the events of `feed`.
    pub(crate) async fn consumer(&self, feed: &str) -> Value {
        let answer = self.operator(Method::GET, "events").send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let consumers = answer["consumers"].as_array().unwrap();
        let of_feed = consumers.iter().find(|consumer| consumer["feed"] == feed);
        of_feed.unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// Waits until everything that was published has had its effect.
    pub(crate) async fn settled(&self) {
        for (feed, of) in [("orders", &self.orders), ("catalog", &self.catalog)] {
            eventually("all events are handled", async || {
                let consumer = self.consumer(feed).await;
                (consumer["position"] == of.head()).then_some(())
            })
            .await;
        }
    }

    pub(crate) fn ask(&self, product: Uuid) -> RequestBuilder {
        let path = format!("/api/products/{product}/recommendations");
        self.service.http.get(format!("{}{path}", self.service.url))
    }

    async fn recommended(&self, product: Uuid, tie: &str) -> Vec<(Uuid, i64)> {
        let answer = self.ask(product).query(&[("limit", "50")]).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        let of_tie = answer[tie].as_array().unwrap();
        of_tie.iter().map(|item| row(item, "count")).collect()
    }

    pub(crate) async fn also_bought(&self, product: Uuid) -> Vec<(Uuid, i64)> {
        self.recommended(product, "also_bought").await
    }

    pub(crate) async fn also_viewed(&self, product: Uuid) -> Vec<(Uuid, i64)> {
        self.recommended(product, "also_viewed").await
    }

    /// In how many orders each product was, from every page after the other.
    pub(crate) async fn counts(&self, limit: usize) -> Vec<(Uuid, i64)> {
        let mut counts = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut request = self.operator(Method::GET, "counts");
            request = request.query(&[("limit", limit)]);
            if let Some(cursor) = &cursor {
                request = request.query(&[("cursor", cursor)]);
            }
            let page: Value = request.send().await.unwrap().json().await.unwrap();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            counts.extend(items.iter().map(|item| row(item, "orders")));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return counts,
            }
        }
    }
}

fn row(item: &Value, count: &str) -> (Uuid, i64) {
    let id = item["product_id"].as_str().unwrap();
    (id.parse().unwrap(), item[count].as_i64().unwrap())
}

//! Inventory as orders, admins and operators meet it.

use std::collections::BTreeMap;
use std::ops::Deref;

use inventory::Inventory;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use testing::{Running, Town};
use uuid::Uuid;

/// A service of this process, and a client of it.
pub(crate) struct Warehouse {
    pub(crate) service: Running,
    client: Client,
}

impl Deref for Warehouse {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// One instance with an empty store.
pub(crate) async fn open() -> Warehouse {
    open_in(&Town::new(), json!({})).await
}

pub(crate) async fn open_in(town: &Town, settings: Value) -> Warehouse {
    let service = town.start::<Inventory>(settings).await;
    Warehouse {
        client: Client::new(town, &service.url),
        service,
    }
}

/// Whoever calls an instance, with the tokens of them all.
pub(crate) struct Client {
    url: String,
    http: reqwest::Client,
    orders: String,
    admin: String,
    operator: String,
}

pub(crate) fn id() -> String {
    Uuid::now_v7().to_string()
}

impl Client {
    pub(crate) fn new(town: &Town, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            http: reqwest::Client::new(),
            orders: town.service_token("orders", "inventory"),
            admin: town.member_token("0198-admin", &["admin"]),
            operator: town.operator_token().to_owned(),
        }
    }

    /// A request without a token.
    pub(crate) fn anyone(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.url);
        self.http.request(method, url)
    }

    /// A request by orders.
    pub(crate) fn orders(&self, method: Method, path: &str) -> RequestBuilder {
        let path = format!("/inner/v1/reservations/{path}");
        self.anyone(method, &path).bearer_auth(&self.orders)
    }

    /// A request by an admin.
    pub(crate) fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        let path = format!("/api/admin/stock{path}");
        self.anyone(method, &path).bearer_auth(&self.admin)
    }

    /// A request by the operator.
    pub(crate) fn operator(&self, path: &str) -> RequestBuilder {
        let path = format!("/inner/v1/{path}");
        self.anyone(Method::GET, &path).bearer_auth(&self.operator)
    }

    /// Every row of one of the operator's listings, page by page.
    pub(crate) async fn rows(&self, list: &str, limit: usize) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let query = [("limit", Some(limit.to_string())), ("cursor", cursor)];
            let page = self.operator(list).query(&query).send().await.unwrap();
            let page = ok(page).await;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            rows.extend(items.iter().cloned());
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return rows;
            }
        }
    }

    pub(crate) fn reservation(&self, order: &str, items: &[(&str, i64)]) -> RequestBuilder {
        let item = |(product, quantity): &(&str, i64)| json!({ "product_id": product, "quantity": quantity });
        let items: Vec<_> = items.iter().map(item).collect();
        self.orders(Method::PUT, order)
            .json(&json!({ "items": items }))
    }

    pub(crate) async fn reserve(&self, order: &str, items: &[(&str, i64)]) -> Response {
        self.reservation(order, items).send().await.unwrap()
    }

    pub(crate) async fn confirm(&self, order: &str) -> Response {
        let path = format!("{order}/confirm");
        self.orders(Method::POST, &path).send().await.unwrap()
    }

    pub(crate) async fn release(&self, order: &str) -> Response {
        self.orders(Method::DELETE, order).send().await.unwrap()
    }

    pub(crate) async fn set_on_hand(&self, product: &str, on_hand: i64) -> Response {
        let put = self.admin(Method::PUT, &format!("/{product}"));
        let put = put.json(&json!({ "on_hand": on_hand }));
        put.send().await.unwrap()
    }

    /// `[on_hand, held, sold]` of a product.
    pub(crate) async fn units(&self, product: &str) -> [i64; 3] {
        let get = self.admin(Method::GET, &format!("/{product}"));
        let stock = ok(get.send().await.unwrap()).await;
        ["on_hand", "held", "sold"].map(|key| stock[key].as_i64().unwrap())
    }
}

/// Every reservation's state by order, when stock and reservations have been found to agree: no
/// unit is lost, made up or promised twice.
pub(crate) async fn books(client: &Client) -> BTreeMap<String, String> {
    let stock = client.rows("stock", 500).await;
    let reservations = client.rows("reservations", 500).await;
    for row in stock {
        let [initial, adjusted, on_hand, held, sold] =
            ["initial", "adjusted", "on_hand", "held", "sold"]
                .map(|key| row[key].as_i64().unwrap());
        assert_eq!(initial + adjusted, on_hand + held + sold, "{row}");
        assert!(on_hand >= 0, "{row}");
        let units = |state: &str| -> i64 {
            let of_state = reservations.iter().filter(|one| one["state"] == *state);
            let items = of_state.flat_map(|one| one["items"].as_array().unwrap());
            let of_product = items.filter(|item| item["product_id"] == row["product_id"]);
            of_product
                .map(|item| item["quantity"].as_i64().unwrap())
                .sum()
        };
        assert_eq!((held, sold), (units("held"), units("confirmed")), "{row}");
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let state = |one: &Value| (text(&one["order_id"]), text(&one["state"]));
    reservations.iter().map(state).collect()
}

/// The body of an answer, which must be 200.
pub(crate) async fn ok(response: Response) -> Value {
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, 200, "{body}");
    body
}

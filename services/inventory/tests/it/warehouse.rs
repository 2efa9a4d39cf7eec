//! Inventory as orders, admins and operators meet it.

use inventory::Inventory;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use testing::{Running, Town};
use uuid::Uuid;

pub(crate) struct Warehouse {
    pub(crate) service: Running,
    orders: String,
    admin: String,
}

/// One instance with an empty store.
pub(crate) async fn open() -> Warehouse {
    open_in(&Town::new(), json!({})).await
}

pub(crate) async fn open_in(town: &Town, settings: Value) -> Warehouse {
    Warehouse {
        service: town.start::<Inventory>(settings).await,
        orders: town.service_token("orders", "inventory"),
        admin: town.member_token("0198-admin", &["admin"]),
    }
}

pub(crate) fn id() -> String {
    Uuid::now_v7().to_string()
}

impl Warehouse {
    /// A request without a token.
    pub(crate) fn anyone(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.service.url);
        self.service.http.request(method, url)
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
        let token = self.service.town().operator_token();
        let path = format!("/inner/v1/{path}");
        self.anyone(Method::GET, &path).bearer_auth(token)
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

/// The body of an answer, which must be 200.
pub(crate) async fn ok(response: Response) -> Value {
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, 200, "{body}");
    body
}

/// The response is a problem of this status and code.
pub(crate) async fn assert_problem(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status().as_u16(), status, "{code}");
    let kind = response.headers()["content-type"].to_str().unwrap();
    assert_eq!(kind, "application/problem+json");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["status"], status, "{body}");
    body
}

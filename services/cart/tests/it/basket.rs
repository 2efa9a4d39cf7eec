//! A cart as its member and orders meet it.

use cart::Cart;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use testing::{Running, Town};
use uuid::Uuid;

/// One instance with no carts.
pub(crate) async fn open() -> Running {
    Town::new().start::<Cart>(json!({})).await
}

/// A member with a token; wherever the service runs.
pub(crate) struct Shopper {
    pub(crate) id: Uuid,
    pub(crate) url: String,
    http: Client,
    token: String,
}

impl Shopper {
    pub(crate) fn of(service: &Running) -> Self {
        Self::new(service.town(), &service.url)
    }

    pub(crate) fn new(town: &Town, url: &str) -> Self {
        let id = Uuid::now_v7();
        Self {
            id,
            url: url.to_owned(),
            http: Client::new(),
            token: town.member_token(&id.to_string(), &[]),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/cart{path}", self.url);
        self.http.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) fn putting(&self, product: Uuid, quantity: impl Into<Value>) -> RequestBuilder {
        let body = json!({ "quantity": quantity.into() });
        self.request(Method::PUT, &format!("/items/{product}"))
            .json(&body)
    }

    pub(crate) async fn try_put(&self, product: Uuid, quantity: impl Into<Value>) -> Response {
        self.putting(product, quantity).send().await.unwrap()
    }

    /// Puts a product in and gives the cart.
    pub(crate) async fn put(&self, product: Uuid, quantity: i64) -> Value {
        read(self.try_put(product, quantity).await).await
    }

    pub(crate) async fn remove(&self, product: Uuid) -> Value {
        let request = self.request(Method::DELETE, &format!("/items/{product}"));
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn cart(&self) -> Value {
        read(self.request(Method::GET, "").send().await.unwrap()).await
    }

    pub(crate) async fn clear(&self) {
        let cleared = self.request(Method::DELETE, "").send().await.unwrap();
        assert_eq!(cleared.status(), StatusCode::NO_CONTENT);
        assert!(cleared.bytes().await.unwrap().is_empty());
    }
}

/// A request of another service about a member's cart.
pub(crate) fn inner(
    service: &Running,
    caller: &str,
    method: Method,
    member: impl std::fmt::Display,
) -> RequestBuilder {
    let url = format!("{}/inner/v1/carts/{member}", service.url);
    let token = service.town().service_token(caller, "cart");
    service.http.request(method, url).bearer_auth(token)
}

pub(crate) async fn read(response: Response) -> Value {
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

/// A cart as it is sent.
pub(crate) fn holding(version: u64, items: &[(Uuid, i64)]) -> Value {
    let items: Vec<_> = items
        .iter()
        .map(|(product, quantity)| json!({ "product_id": product, "quantity": quantity }))
        .collect();
    json!({ "items": items, "version": version })
}

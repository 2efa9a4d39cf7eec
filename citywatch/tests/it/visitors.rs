//! Visitors who do what hardly any shopper does, so that rare points are passed all the time: they
//! take things out of their carts again and abandon them, look at what others bought, write posts,
//! and bring friends who become members. One of them watches the city.

use std::cell::Cell;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::harness::City;

/// They fill carts and empty them.
const FICKLE: usize = 5;
/// Each leaves a cart behind. There are enough of them for each to come back only when its cart
/// has expired.
const FORGETFUL: usize = 20;
/// Between two things that fickle visitors do together.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two carts that are left behind.
const LEAVES: Duration = Duration::from_secs(4);

pub(crate) struct Visitors {
    fickle: Vec<String>,
    forgetful: Vec<String>,
    admin: String,
    products: Vec<String>,
    /// Of all carts that were left behind, the highest version: only a cart beyond it raises the
    /// floor when it expires.
    highest: Cell<u64>,
}

impl Visitors {
    pub(crate) async fn enter(city: &City) -> Self {
        let mut members = Vec::new();
        for number in 0..FICKLE + FORGETFUL {
            members.push(city.member(&format!("visitor-{number}@example.com")).await);
        }
        Self {
            forgetful: members.split_off(FICKLE),
            fickle: members,
            admin: city.admin().await,
            products: city.products().await,
            highest: Cell::new(0),
        }
    }

    /// For ever. What a struck service does not answer is left.
    pub(crate) async fn stroll(&self, city: &City) {
        tokio::join!(
            self.change_minds(city),
            self.leave_carts(city),
            self.look_around(city)
        );
    }

    async fn change_minds(&self, city: &City) {
        let [one, other] = [0, 1].map(|nth| item(&self.products[nth]));
        for (round, token) in self.fickle.iter().cycle().enumerate() {
            ask(city, Method::GET, "/api/cart", token, None).await;
            for path in [&one, &other] {
                let quantity = json!({"quantity": 1 + round % 9});
                ask(city, Method::PUT, path, token, Some(quantity)).await;
            }
            ask(city, Method::DELETE, &one, token, None).await;
            ask(city, Method::DELETE, "/api/cart", token, None).await;
            // Of what nobody runs out of.
            let product = &self.products[round % self.products.len()];
            let shelf = format!("/api/admin/stock/{product}");
            let on_hand = json!({"on_hand": 1_000 + round % 7});
            ask(city, Method::PUT, &shelf, &self.admin, Some(on_hand)).await;
            let services = format!("{}/api/services", city.address("observatory"));
            let _ = city.http.get(services).send().await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What has its effect elsewhere, after the answer: views, posts, new members.
    async fn look_around(&self, city: &City) {
        let newcomers = (0_u32..).zip(self.fickle.iter().cycle());
        for (round, token) in newcomers {
            for product in &self.products[..3] {
                let page = format!("/api/products/{product}");
                ask(city, Method::GET, &page, token, None).await;
                let related = format!("{page}/recommendations");
                ask(city, Method::GET, &related, token, None).await;
            }
            let post = json!({"title": format!("Round {round}"), "body": "Fine tea."});
            ask(city, Method::POST, "/api/posts", token, Some(post)).await;
            for list in ["/api/posts", "/api/notifications"] {
                ask(city, Method::GET, list, token, None).await;
            }
            self.edit_the_catalog(city).await;
            let newcomer = json!({
                "email": format!("newcomer-{round}@example.com"),
                "password": "correct horse battery",
                "name": "Noa",
            });
            ask(city, Method::POST, "/api/users", token, Some(newcomer)).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A product comes, is changed, and goes.
    async fn edit_the_catalog(&self, city: &City) {
        let text = json!({"ko": "잠깐", "en": "For a moment"});
        let draft = json!({
            "name": text, "description": text, "category": "kitchen",
            "price": {"amount": 1_000, "currency": "KRW"},
        });
        let products = "/api/admin/products";
        let new = ask(
            city,
            Method::POST,
            products,
            &self.admin,
            Some(draft.clone()),
        )
        .await;
        let Some(id) = new["id"].as_str() else {
            return;
        };
        let url = format!("{}{products}/{id}", city.address("gateway"));
        for (method, body) in [(Method::PUT, Some(draft)), (Method::DELETE, None)] {
            let mut request = city.http.request(method, &url).header("if-match", "*");
            if let Some(body) = body {
                request = request.json(&body);
            }
            let _ = request.bearer_auth(&self.admin).send().await;
        }
    }

    async fn leave_carts(&self, city: &City) {
        let path = item(&self.products[0]);
        for token in self.forgetful.iter().cycle() {
            for round in 0..60 {
                let quantity = json!({"quantity": 1 + round % 9});
                let cart = ask(city, Method::PUT, &path, token, Some(quantity)).await;
                let version = cart["version"].as_u64().unwrap_or_default();
                if version > self.highest.get() {
                    self.highest.set(version);
                    break;
                }
            }
            tokio::time::sleep(LEAVES).await;
        }
    }
}

fn item(product: &str) -> String {
    format!("/api/cart/items/{product}")
}

/// The answer, if there was one.
async fn ask(city: &City, method: Method, path: &str, token: &str, body: Option<Value>) -> Value {
    match city.ask(method, path, token, body.as_ref()).await {
        Ok(answer) => answer.json().await.unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

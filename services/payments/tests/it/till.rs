//! Payments as orders meets it, with a real bank whose book is the judge.

use std::ops::Deref;

use acquirer::{Acquirer, Moods, Options};
use payments::Payments;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use testing::{Running, Town, eventually};
use uuid::Uuid;

const BANK_TOKEN: &str = "the bank's own";
pub(crate) const AMOUNT: i64 = 12_900;

/// A bank in this process; it ends with the runtime of the test.
#[derive(Clone)]
pub(crate) struct Bank {
    pub(crate) url: String,
    http: reqwest::Client,
}

/// A line of the bank's book: whether it is a charge, its id and its amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) is_charge: bool,
    pub(crate) id: String,
    pub(crate) amount: i64,
}

impl Bank {
    pub(crate) async fn open(town: &Town) -> Self {
        let options = Options {
            book: town.folder().join("acquirer.jsonl"),
            token: BANK_TOKEN.to_owned(),
            ..Options::default()
        };
        let acquirer = Acquirer::open(&options).await.unwrap();
        let url = format!("http://{}", acquirer.address());
        tokio::spawn(acquirer.serve(std::future::pending()));
        Self {
            url,
            http: reqwest::Client::new(),
        }
    }

    pub(crate) async fn set(&self, moods: Moods) {
        let request = self.http.put(format!("{}/settings", self.url));
        let answer = request.bearer_auth(BANK_TOKEN).json(&moods).send().await;
        assert!(answer.unwrap().status().is_success());
    }

    /// Charges past payments, as a request would that was long under way.
    pub(crate) async fn charge(&self, key: Uuid) {
        let order = json!({ "reference": key, "amount": AMOUNT, "currency": "KRW" });
        let request = self.http.post(format!("{}/charges", self.url));
        assert_eq!(request.json(&order).send().await.unwrap().status(), 201);
    }

    /// What the book says of a key.
    pub(crate) async fn book(&self, key: Uuid) -> Vec<Line> {
        let request = self.http.get(format!("{}/book", self.url));
        let book = request.send().await.unwrap();
        let book = book.error_for_status().unwrap().text().await.unwrap();
        let lines = book.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            (line["reference"] == key.to_string()).then(|| Line {
                is_charge: line["kind"] == "charge",
                id: line["id"].as_str().unwrap().to_owned(),
                amount: line["amount"].as_i64().unwrap(),
            })
        });
        lines.flatten().collect()
    }

    /// What the member has paid in the end.
    pub(crate) async fn net(&self, key: Uuid) -> i64 {
        let book = self.book(key).await;
        let signed = |line: &Line| {
            if line.is_charge {
                line.amount
            } else {
                -line.amount
            }
        };
        book.iter().map(signed).sum()
    }

    /// How many charges and how many refunds the book has.
    pub(crate) async fn counts(&self, key: Uuid) -> (usize, usize) {
        let book = self.book(key).await;
        let charges = book.iter().filter(|line| line.is_charge).count();
        (charges, book.len() - charges)
    }
}

/// Orders, as it calls one instance.
pub(crate) struct Clerk {
    url: String,
    http: reqwest::Client,
    token: String,
}

/// One instance in this process.
pub(crate) struct Till {
    pub(crate) service: Running,
    pub(crate) bank: Bank,
    clerk: Clerk,
}

impl Deref for Till {
    type Target = Clerk;

    fn deref(&self) -> &Clerk {
        &self.clerk
    }
}

/// Times that a test can wait for.
pub(crate) fn brisk(bank: &Bank) -> Value {
    json!({
        "acquirer_url": bank.url, "settle_ms": 300, "resolve_interval_ms": 20,
        "reconcile_after_ms": 200,
    })
}

pub(crate) async fn open() -> Till {
    let town = Town::new();
    let bank = Bank::open(&town).await;
    open_in(&town, &bank, brisk(&bank)).await
}

pub(crate) async fn open_in(town: &Town, bank: &Bank, settings: Value) -> Till {
    let service = town.start::<Payments>(settings).await;
    Till {
        clerk: Clerk::at(town, &service.url),
        bank: bank.clone(),
        service,
    }
}

pub(crate) fn order(key: Uuid) -> Value {
    json!({
        "order_id": key, "member_id": "0198-member",
        "amount": { "amount": AMOUNT, "currency": "KRW" },
    })
}

impl Clerk {
    pub(crate) fn at(town: &Town, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            http: reqwest::Client::new(),
            token: town.service_token("orders", "payments"),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/inner/v1/{path}", self.url);
        self.http.request(method, url).bearer_auth(&self.token)
    }

    pub(crate) async fn try_charge(&self, key: Uuid) -> Response {
        let request = self.request(Method::PUT, &format!("charges/{key}"));
        request.json(&order(key)).send().await.unwrap()
    }

    pub(crate) async fn charge(&self, key: Uuid) -> String {
        told(self.try_charge(key).await).await
    }

    pub(crate) async fn refund(&self, key: Uuid) -> String {
        let request = self.request(Method::PUT, &format!("refunds/{key}"));
        told(request.send().await.unwrap()).await
    }

    /// Where the charge stands.
    pub(crate) async fn state(&self, key: Uuid) -> String {
        let request = self.request(Method::GET, &format!("charges/{key}"));
        told(request.send().await.unwrap()).await
    }

    /// Waits until nobody needs to do anything about it any more.
    pub(crate) async fn settled(&self, key: Uuid) -> String {
        eventually("the charge has an end", async || {
            let state = self.state(key).await;
            let open = ["asked", "voiding", "refunding"];
            (!open.contains(&state.as_str())).then_some(state)
        })
        .await
    }
}

impl Till {
    pub(crate) async fn counter(&self, name: &str) -> u64 {
        counter(&self.service.metrics().await, name)
    }
}

/// The value of a counter without labels.
pub(crate) fn counter(page: &str, name: &str) -> u64 {
    let mut lines = page.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("{name}: {page}"));
    value.parse().unwrap()
}

/// The state that an answer tells, or its problem's code.
async fn told(response: Response) -> String {
    let retry_after = response.headers().get("retry-after").cloned();
    let body: Value = response.json().await.unwrap();
    if body["status"] == 503 {
        assert_eq!(retry_after.expect("a time to retry"), "1");
    }
    let told = body.get("state").or(body.get("code"));
    told.unwrap_or_else(|| panic!("{body}"))
        .as_str()
        .unwrap()
        .to_owned()
}

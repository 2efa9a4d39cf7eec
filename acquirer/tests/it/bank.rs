//! A bank in this process, as its clients meet it.

use std::path::Path;
use std::time::{Duration, Instant};

use acquirer::{Acquirer, BookError, Error, Moods, Options};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

const TOKEN: &str = "the bank's own";

pub(crate) struct Bank {
    pub(crate) url: String,
    pub(crate) http: Client,
    served: JoinHandle<()>,
}

pub(crate) async fn open(book: &Path, moods: Moods) -> Bank {
    let options = Options {
        book: book.to_owned(),
        token: TOKEN.to_owned(),
        moods,
        ..Options::default()
    };
    // A bank that was just closed lets go of its book when its writer has ended.
    let patience = Instant::now();
    let acquirer = loop {
        match Acquirer::open(&options).await {
            Err(Error::Book(BookError::Locked { .. }))
                if patience.elapsed() < Duration::from_secs(10) =>
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            opened => break opened.unwrap(),
        }
    };
    Bank {
        url: format!("http://{}", acquirer.address()),
        http: Client::new(),
        served: tokio::spawn(acquirer.serve(std::future::pending())),
    }
}

impl Bank {
    pub(crate) async fn charge(&self, reference: &str) -> reqwest::Result<Response> {
        let order = json!({ "reference": reference, "amount": 12_900, "currency": "KRW" });
        let url = format!("{}/charges", self.url);
        self.http.post(url).json(&order).send().await
    }

    /// A charge that must be made; its id.
    pub(crate) async fn charged(&self, reference: &str) -> String {
        let response = self.charge(reference).await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let charge: Value = response.json().await.unwrap();
        assert_eq!(charge["status"], "captured");
        charge["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn refund(&self, id: &str) -> StatusCode {
        let url = format!("{}/charges/{id}/refunds", self.url);
        self.http.post(url).send().await.unwrap().status()
    }

    pub(crate) async fn by_reference(&self, reference: &str) -> Vec<Value> {
        let request = self.http.get(format!("{}/charges", self.url));
        let request = request.query(&[("reference", reference)]);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["charges"].as_array().unwrap().clone()
    }

    pub(crate) async fn book(&self) -> Vec<Value> {
        let request = self.http.get(format!("{}/book", self.url));
        let text = request.send().await.unwrap().text().await.unwrap();
        let line = |line: &str| serde_json::from_str(line).unwrap();
        text.lines().map(line).collect()
    }

    pub(crate) async fn set(&self, token: Option<&str>, settings: &Value) -> StatusCode {
        let mut request = self.http.put(format!("{}/settings", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.json(settings).send().await.unwrap().status()
    }

    /// Closes the book.
    pub(crate) async fn close(self) {
        self.served.abort();
        let _ = self.served.await;
    }
}

#[tokio::test]
async fn it_is_naive_and_refunds_a_charge_once() {
    let folder = TempDir::new().unwrap();
    let bank = open(&folder.path().join("book.jsonl"), Moods::default()).await;
    let first = bank.charged("order-1").await;
    let second = bank.charged("order-1").await;
    assert_ne!(first, second, "two charges with one reference are two");
    assert_eq!(bank.refund(&first).await, StatusCode::CREATED);
    assert_eq!(bank.refund(&first).await, StatusCode::CONFLICT);
    let unknown = "01980000-0000-7000-8000-000000000000";
    assert_eq!(bank.refund(unknown).await, StatusCode::NOT_FOUND);

    let found = bank.by_reference("order-1").await;
    let refunded = |id: &str| {
        let charge = found.iter().find(|charge| charge["id"] == id).unwrap();
        charge["refunded"].as_bool().unwrap()
    };
    assert_eq!(found.len(), 2);
    assert!(refunded(&first) && !refunded(&second));
    assert!(bank.by_reference("order-2").await.is_empty());

    let book = bank.book().await;
    let told = |key: &str| -> Vec<_> { book.iter().map(|line| line[key].clone()).collect() };
    assert_eq!(told("seq"), [1, 2, 3]);
    assert_eq!(told("kind"), ["charge", "charge", "refund"]);
    assert_eq!(told("id"), [&*first, &*second, &*first]);
    for line in &book {
        assert_eq!(line["reference"], "order-1");
        assert_eq!(line["amount"], 12_900);
        assert_eq!(line["currency"], "KRW");
        assert!(line["at"].as_str().unwrap().ends_with('Z'), "{line}");
    }
}

#[tokio::test]
async fn what_is_no_charge_is_refused() {
    let folder = TempDir::new().unwrap();
    let bank = open(&folder.path().join("book.jsonl"), Moods::default()).await;
    let long = "x".repeat(256);
    for (order, status) in [
        (json!({ "reference": "r", "amount": 1 }), 400),
        (
            json!({ "reference": "r", "amount": "1", "currency": "KRW" }),
            400,
        ),
        (
            json!({ "reference": "r", "amount": 0, "currency": "KRW" }),
            422,
        ),
        (
            json!({ "reference": "r", "amount": -1, "currency": "KRW" }),
            422,
        ),
        (
            json!({ "reference": "r", "amount": 1, "currency": "won" }),
            422,
        ),
        (
            json!({ "reference": "", "amount": 1, "currency": "KRW" }),
            422,
        ),
        (
            json!({ "reference": long, "amount": 1, "currency": "KRW" }),
            422,
        ),
    ] {
        let request = bank.http.post(format!("{}/charges", bank.url));
        let answer = request.json(&order).send().await.unwrap();
        assert_eq!(answer.status(), status, "{order}");
    }
    assert!(bank.book().await.is_empty());
}

#[tokio::test]
async fn only_its_own_token_changes_the_settings() {
    let folder = TempDir::new().unwrap();
    let bank = open(&folder.path().join("book.jsonl"), Moods::default()).await;
    let slow = json!({ "delay_ms": 1, "decline": 1.0 });
    for token in [None, Some(""), Some("another")] {
        assert_eq!(bank.set(token, &slow).await, StatusCode::UNAUTHORIZED);
    }
    for bad in [
        json!({ "decline": 2 }),
        json!({ "delay_ms": -1 }),
        json!({ "delay_ms": 3_600_001 }),
        json!({ "patience": 1 }),
        json!("slow"),
    ] {
        assert_eq!(bank.set(Some(TOKEN), &bad).await, StatusCode::BAD_REQUEST);
    }
    bank.charged("before").await;
    assert_eq!(bank.set(Some(TOKEN), &slow).await, StatusCode::OK);
    let declined = bank.charge("after").await.unwrap();
    assert_eq!(declined.status(), StatusCode::PAYMENT_REQUIRED);

    let settings = bank.http.get(format!("{}/settings", bank.url)).send().await;
    let settings: Value = settings.unwrap().json().await.unwrap();
    let expected = json!({
        "delay_ms": 1, "jitter_ms": 0, "fail_before": 0.0, "fail_after": 0.0,
        "hang_before": 0.0, "hang_after": 0.0, "decline": 1.0,
    });
    assert_eq!(settings, expected);

    let nobody = Options {
        book: folder.path().join("other.jsonl"),
        ..Options::default()
    };
    let acquirer = Acquirer::open(&nobody).await.unwrap();
    let url = format!("http://{}/settings", acquirer.address());
    let served = tokio::spawn(acquirer.serve(std::future::pending()));
    let request = bank.http.put(url).header("authorization", "Bearer ");
    let answer = request.json(&slow).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    served.abort();
}

//! What tests of the shop do as a member, as an admin and as the bank's operator.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::harness::{City, within};

/// In which every order must have come to its end.
const TERMINAL: Duration = Duration::from_secs(30);

impl City {
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<Response> {
        let url = format!("{}{path}", self.address("gateway"));
        let mut request = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await
    }

    /// Ids of products that the shop sells.
    pub(crate) async fn products(&self) -> Vec<String> {
        let answer = self.get("/api/products").await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", self.said());
        let page: Value = answer.json().await.unwrap();
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) async fn put_in_cart(&self, token: &str, product: &str, quantity: u64) -> Response {
        let path = format!("/api/cart/items/{product}");
        let body = json!({"quantity": quantity});
        self.ask(Method::PUT, &path, token, Some(&body))
            .await
            .unwrap()
    }

    pub(crate) async fn order(
        &self,
        token: &str,
        key: &str,
        body: &Value,
    ) -> reqwest::Result<Response> {
        let url = format!("{}/api/orders", self.address("gateway"));
        let request = self.http.post(url).bearer_auth(token);
        request
            .header("idempotency-key", key)
            .json(body)
            .send()
            .await
    }

    /// Fills a cart with one piece and orders it: the order as it was answered.
    pub(crate) async fn buy(&self, token: &str, product: &str, key: &str) -> (StatusCode, Value) {
        let filled = self.put_in_cart(token, product, 1).await;
        assert_eq!(filled.status(), StatusCode::OK, "{}", self.said());
        let answer = self.order(token, key, &json!({})).await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    /// How an order ended: one that is on its way, or there, is `confirmed`.
    pub(crate) async fn outcome(&self, token: &str, order: &str) -> Value {
        let path = format!("/api/orders/{order}");
        let mut last = Value::Null;
        let ended = within(TERMINAL, async || {
            let answer = self.ask(Method::GET, &path, token, None).await;
            if let Ok(answer) = answer
                && answer.status() == StatusCode::OK
            {
                last = answer.json().await.unwrap();
            }
            if last["status"] == "shipped" || last["status"] == "delivered" {
                last["status"] = json!("confirmed");
            }
            last["status"] == "confirmed" || last["status"] == "cancelled"
        });
        let ended = ended.await;
        assert!(ended.is_some(), "{order} is {last}\n{}", self.said());
        last
    }

    pub(crate) async fn admin(&self) -> String {
        let admin = &self.ready["first_admin"];
        let [email, password] = ["email", "password"].map(|key| admin[key].as_str().unwrap());
        self.log_in(email, password).await
    }

    /// Sets how the bank behaves; what is not named is as in a good bank.
    pub(crate) async fn bank(&self, moods: &Value) {
        let token = std::fs::read_to_string(self.data().join("acquirer-token")).unwrap();
        let url = format!("{}/settings", self.address("acquirer"));
        let request = self.http.put(url).bearer_auth(token.trim()).json(moods);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// The ledger as JSON; `further` arguments may name other witnesses.
    pub(crate) async fn ledger(&self, further: &[&str]) -> (Option<i32>, Value) {
        let mut arguments = vec!["ledger", "--json"];
        arguments.extend(further);
        let output = self.citywatch(&arguments).await;
        let said = String::from_utf8_lossy(&output.stderr);
        let report =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| json!({"said": said}));
        (output.status.code(), report)
    }

    #[track_caller]
    pub(crate) fn assert_clean(&self, ledger: &(Option<i32>, Value)) {
        let (code, report) = ledger;
        assert_eq!(*code, Some(0), "{report:#}\n{}", self.said());
    }

    /// A number of a process's metrics page, summed over the samples that hold `labels`.
    pub(crate) async fn metric(&self, process: &str, name: &str, labels: &str) -> f64 {
        let state = self.state();
        let Some(admin) = state["processes"][process]["admin"].as_str() else {
            return 0.0;
        };
        let Ok(answer) = self
            .http
            .get(format!("http://{admin}/metrics"))
            .send()
            .await
        else {
            return 0.0;
        };
        let page = answer.text().await.unwrap_or_default();
        page.lines()
            .filter(|line| {
                let rest = line.strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))
            })
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }
}

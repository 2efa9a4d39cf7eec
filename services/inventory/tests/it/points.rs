//! At each named point, before and after each commit, the process dies or fails: all is done or
//! nothing is, and whoever asks again gets what was meant.

use inventory::Inventory;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use testing::{Process, Town, assert_problem, eventually};

use crate::warehouse::{Client, books, id, ok};

const STEPS: [&str; 5] = ["reserve", "confirm", "release", "expire", "adjust"];
const INITIAL: i64 = 10;

/// Long enough for no reservation to expire that is not to.
const NEVER: u64 = 3_600_000;
const SOON: u64 = 300;

async fn start(town: &Town, ttl_ms: u64) -> (Process, Client) {
    let settings = json!({
        "faults_enabled": true, "initial_stock": INITIAL, "reservation_ttl_ms": ttl_ms,
    });
    let program = env!("CARGO_BIN_EXE_citywatch-inventory");
    let process = Process::start(town.command::<Inventory>(program, &settings)).await;
    let client = Client::new(town, &process.url);
    (process, client)
}

async fn arm(process: &Process, town: &Town, point: &str, fault: &Value) {
    let put = process
        .http
        .put(format!("{}/faults/{point}", process.admin_url));
    let put = put.bearer_auth(town.operator_token()).json(fault);
    let status = put.send().await.unwrap().status();
    assert!(status.is_success(), "{point}: {status}");
}

/// One order of two units of one product, and what is asked for it.
struct Case {
    step: &'static str,
    order: String,
    product: String,
}

impl Case {
    fn new(step: &'static str) -> Self {
        Self {
            step,
            order: id(),
            product: id(),
        }
    }

    fn ttl(&self) -> u64 {
        if self.step == "expire" { SOON } else { NEVER }
    }

    /// What comes before the step.
    async fn prepare(&self, client: &Client) {
        if !matches!(self.step, "reserve" | "adjust") {
            let reserved = client.reserve(&self.order, &[(&self.product, 2)]).await;
            assert_eq!(reserved.status(), StatusCode::CREATED);
        }
    }

    /// The step; none for one that nobody asks for.
    fn request(&self, client: &Client) -> Option<RequestBuilder> {
        Some(match self.step {
            "reserve" => client.reservation(&self.order, &[(&self.product, 2)]),
            "confirm" => client.orders(Method::POST, &format!("{}/confirm", self.order)),
            "release" => client.orders(Method::DELETE, &self.order),
            "adjust" => {
                let put = client.admin(Method::PUT, &format!("/{}", self.product));
                put.json(&json!({ "on_hand": 7 }))
            }
            _ => return None,
        })
    }

    /// `[on_hand, held, sold]` before the step.
    fn before(&self) -> [i64; 3] {
        match self.step {
            "reserve" | "adjust" => [INITIAL, 0, 0],
            _ => [INITIAL - 2, 2, 0],
        }
    }

    /// `[on_hand, held, sold]` after the step.
    fn after(&self) -> [i64; 3] {
        match self.step {
            "reserve" => [INITIAL - 2, 2, 0],
            "confirm" => [INITIAL - 2, 0, 2],
            "adjust" => [7, 0, 0],
            _ => [INITIAL, 0, 0],
        }
    }

    /// Twice, and it is done once.
    async fn ask_again(&self, client: &Client, was_done: bool) {
        for again in [was_done, true] {
            let Some(request) = self.request(client) else {
                break;
            };
            let response: Response = request.send().await.unwrap();
            let made = self.step == "reserve" && !again;
            let status = if made { 201 } else { 200 };
            assert_eq!(response.status().as_u16(), status, "{}", self.step);
            response.json::<Value>().await.unwrap();
        }
        eventually("it is done", async || {
            (client.units(&self.product).await == self.after()).then_some(())
        })
        .await;
        books(client).await;
    }
}

#[tokio::test]
async fn it_dies_at_each_point_and_nothing_is_lost_or_done_twice() {
    for step in STEPS {
        for side in ["before", "after"] {
            let town = Town::new();
            let case = Case::new(step);
            let (mut process, client) = start(&town, case.ttl()).await;
            case.prepare(&client).await;
            let point = format!("{step}.{side}_commit");
            let kill = json!({ "action": "kill", "lease_ms": 60_000 });
            arm(&process, &town, &point, &kill).await;
            if let Some(request) = case.request(&client) {
                assert!(request.send().await.is_err(), "{point} answers");
            }
            eventually("it dies", || {
                let died = !process.is_running();
                async move { died.then_some(()) }
            })
            .await;
            let (_process, client) = start(&town, case.ttl()).await;
            let was_done = side == "after";
            // What is overdue at the start is given back at once.
            if step != "expire" {
                let expected = if was_done {
                    case.after()
                } else {
                    case.before()
                };
                assert_eq!(client.units(&case.product).await, expected, "{point}");
            }
            case.ask_again(&client, was_done).await;
        }
    }
}

#[tokio::test]
async fn it_fails_at_each_point_and_nothing_is_lost_or_done_twice() {
    for step in STEPS {
        for side in ["before", "after"] {
            let town = Town::new();
            let case = Case::new(step);
            let (process, client) = start(&town, case.ttl()).await;
            case.prepare(&client).await;
            let point = format!("{step}.{side}_commit");
            let error = json!({ "action": "error", "count": 2, "lease_ms": 60_000 });
            arm(&process, &town, &point, &error).await;
            let was_done = side == "after";
            if let Some(request) = case.request(&client) {
                let failed = request.send().await.unwrap();
                assert_eq!(failed.status(), StatusCode::SERVICE_UNAVAILABLE);
                let expected = if was_done {
                    case.after()
                } else {
                    case.before()
                };
                assert_eq!(client.units(&case.product).await, expected, "{point}");
                let disarm = process
                    .http
                    .delete(format!("{}/faults/{point}", process.admin_url));
                let disarm = disarm.bearer_auth(town.operator_token());
                assert!(disarm.send().await.unwrap().status().is_success());
            }
            // A sweep that failed is made again.
            case.ask_again(&client, was_done).await;
            if step == "expire" {
                let late = client.confirm(&case.order).await;
                assert_problem(late, 409, "reservation_expired").await;
                let page = process.metrics().await;
                assert!(!page.contains("failed_sweeps_total 0\n"), "{page}");
                let known = client.reserve(&case.order, &[(&case.product, 2)]).await;
                assert_eq!(ok(known).await["state"], "expired");
            }
        }
    }
}

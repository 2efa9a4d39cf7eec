//! The process dies; what it answered stays so, what it did not is all done or not at all, and
//! whoever asks again gets what was meant.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use inventory::Inventory;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use testing::{Process, Town};

use crate::warehouse::{Client, books, id};

async fn start(town: &Town, settings: &Value) -> (Process, Client) {
    let program = env!("CARGO_BIN_EXE_citywatch-inventory");
    let process = Process::start(town.command::<Inventory>(program, settings)).await;
    let client = Client::new(town, &process.url);
    (process, client)
}

/// What orders know of one reservation.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The last state that they were answered.
    answered: Option<&'static str>,
    /// The state that they asked for last.
    wanted: &'static str,
}

impl Known {
    fn allows(self, state: Option<&String>) -> bool {
        let state = state.map(String::as_str);
        state == self.answered || state == Some(self.wanted)
    }
}

/// One state asked for; whether there was an answer.
async fn ask(client: &Client, order: &str, wanted: &str, items: &[(&str, i64)]) -> bool {
    let request = match wanted {
        "held" => client.reservation(order, items),
        "confirmed" => client.orders(reqwest::Method::POST, &format!("{order}/confirm")),
        _ => client.orders(reqwest::Method::DELETE, order),
    };
    match request.send().await {
        Ok(response) => {
            assert!(response.status().is_success(), "{}", response.status());
            response.json::<Value>().await.is_ok()
        }
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_keeps_what_it_answered() {
    let town = Town::new();
    let settings = json!({ "initial_stock": 1_000_000 });
    let mut random = StdRng::seed_from_u64(7);
    let products = [id(), id(), id()];
    let items: Vec<_> = products.iter().map(|id| (id.as_str(), 2)).collect();
    let known = Mutex::new(BTreeMap::<String, Known>::new());
    let mut in_flight = 0;
    for _ in 0..10 {
        let (process, client) = start(&town, &settings).await;
        let buy = async |n: usize| {
            for round in n.. {
                let order = id();
                let end = ["confirmed", "released", "held"][round % 3];
                let mut answered = None;
                for wanted in ["held", end] {
                    let before = Known { answered, wanted };
                    known.lock().unwrap().insert(order.clone(), before);
                    if !ask(&client, &order, wanted, &items).await {
                        return;
                    }
                    answered = Some(wanted);
                    let after = Known { answered, wanted };
                    known.lock().unwrap().insert(order.clone(), after);
                }
            }
        };
        let kill = async {
            let moment = Duration::from_micros(random.random_range(20_000..150_000));
            tokio::time::sleep(moment).await;
            // SIGKILL.
            drop(process);
        };
        tokio::join!(join_all((0..6).map(buy)), kill);

        let (_process, client) = start(&town, &settings).await;
        let states = books(&client).await;
        let orders = known.lock().unwrap().clone();
        for (order, known) in &orders {
            let state = states.get(order);
            assert!(known.allows(state), "{order}: {known:?} {state:?}");
        }
        // Those that were not answered ask again.
        for (order, before) in orders {
            if before.answered != Some(before.wanted) {
                in_flight += 1;
                assert!(ask(&client, &order, before.wanted, &items).await);
                let answered = Some(before.wanted);
                let after = Known { answered, ..before };
                known.lock().unwrap().insert(order, after);
            }
        }
        let states = books(&client).await;
        for (order, known) in known.lock().unwrap().iter() {
            assert_eq!(states[order], known.wanted);
        }
    }
    assert!(in_flight >= 10, "only {in_flight} requests were in flight");
}

//! Faults at every named point, before and after each commit and each call: an error, the death of
//! the process, and a stop that outlasts the lease.

use std::collections::BTreeSet;
use std::time::Duration;

use orders::Orders;
use reqwest::StatusCode;
use serde_json::{Value, json};
use testing::{Process, Town, eventually};
use uuid::Uuid;

use crate::peers::Mood::{FailsBefore, HangsBefore, Refuses};
use crate::peers::Peers;
use crate::shop::{MINA, ended, get, start, told};

/// What makes an order pass certain points.
struct Situation {
    settings: Value,
    upset: fn(&Peers),
    /// The names up to `before` or `after`.
    passes: &'static [(&'static str, &'static str)],
}

fn confirmed() -> Situation {
    Situation {
        settings: json!({}),
        upset: |_| {},
        passes: &[
            ("cart", "send"),
            ("prices", "send"),
            ("order", "commit"),
            ("reserve", "send"),
            ("reserve", "commit"),
            ("charge", "send"),
            ("charge", "commit"),
            ("confirm", "send"),
            ("confirm", "commit"),
            ("empty_cart", "send"),
            ("feed", "commit"),
        ],
    }
}

fn undone() -> Situation {
    Situation {
        settings: json!({}),
        upset: |peers| peers.next("confirm", &[Refuses(409, "reservation_expired"); 2]),
        passes: &[
            ("refund", "send"),
            ("refund", "commit"),
            ("release", "send"),
            ("release", "commit"),
        ],
    }
}

fn set_aside() -> Situation {
    Situation {
        settings: json!({ "answer_within_ms": 30, "retry_first_ms": 20 }),
        upset: |peers| peers.next("charge", &[Refuses(503, "charge_pending"); 12]),
        passes: &[
            ("answer", "commit"),
            ("park", "commit"),
            ("adopt", "commit"),
        ],
    }
}

fn slow() -> Situation {
    Situation {
        settings: json!({}),
        upset: |peers| peers.next("charge", &[HangsBefore]),
        passes: &[("renew", "commit")],
    }
}

fn given_up() -> Situation {
    Situation {
        settings: json!({ "answer_within_ms": 30, "give_up_ms": 100 }),
        upset: |peers| peers.always("charge", Some(FailsBefore)),
        passes: &[("give_up", "commit")],
    }
}

/// What no placing passes: struck by the tests of parcels, and by the chassis' own.
const ELSEWHERE: [&str; 3] = ["feed.before_send", "retention.", "shipping."];

impl Situation {
    fn points(&self) -> impl Iterator<Item = String> + use<> {
        let names = self.passes.iter();
        names.flat_map(|(step, what)| ["before", "after"].map(|at| format!("{step}.{at}_{what}")))
    }

    fn settings(&self, peers: &Peers) -> Value {
        let mut settings = self.settings.clone();
        // A breaker would rest longer than a test waits.
        settings["breaker_consecutive_failures"] = json!(0);
        settings["breaker_failure_percent"] = json!(0);
        crate::shop::settings(peers, &settings)
    }
}

/// A place where the peers are upset and a cart is full.
async fn place(situation: &Situation) -> (Town, Peers, Uuid) {
    let (town, peers) = (Town::new(), Peers::start().await);
    let mug = peers.product(12_900, 100);
    peers.fill_cart(MINA, &[(mug, 2)]);
    (situation.upset)(&peers);
    (town, peers, mug)
}

async fn arm(town: &Town, admin_url: &str, point: &str, fault: &Value) {
    let url = format!("{admin_url}/faults/{point}");
    let http = reqwest::Client::new();
    let request = http.put(url).bearer_auth(town.operator_token()).json(fault);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{point}");
}

async fn post(town: &Town, url: &str) -> reqwest::Result<reqwest::Response> {
    let url = format!("{url}/api/orders");
    let request = reqwest::Client::new().post(url);
    let request = request.bearer_auth(town.member_token(MINA, &[]));
    request.header("idempotency-key", "k").send().await
}

/// Repeats the request as a good client does, until it has an answer that stands.
async fn insist(town: &Town, url: &str) -> Value {
    eventually("an answer", async || {
        let response = post(town, url).await.ok()?;
        let status = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        assert!(
            [201, 202, 409, 500, 503].contains(&status),
            "{status} {body}"
        );
        (status < 300).then_some(body)
    })
    .await
}

/// There is this one order, money and stock are where its end says, and nothing is left over.
async fn assert_one(service: &testing::Running, peers: &Peers, order: &Value, mug: Uuid) {
    let order = ended(service, order).await;
    peers.assert_settled(&order);
    let end = match order["status"].as_str().unwrap() {
        "confirmed" => "citywatch.orders.OrderConfirmed.v1",
        _ => "citywatch.orders.OrderCancelled.v1",
    };
    assert_eq!(told(service, &order).await["type"], end);
    let list: Value = get(service, MINA, "/api/orders")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(list["items"], json!([order]));
    let world = peers.world();
    assert!(world.reservations.len() == 1 && world.charges.len() <= 1);
    let sold = world.sold.get(&mug).copied().unwrap_or_default();
    assert_eq!(world.on_hand[&mug] + sold, 100);
}

async fn fails_with_an_error(situation: Situation) {
    for point in situation.points() {
        let (town, peers, mug) = place(&situation).await;
        let service = town.start::<Orders>(situation.settings(&peers)).await;
        let error = json!({ "action": "error", "count": 1, "lease_ms": 30_000 });
        arm(&town, &service.admin_url, &point, &error).await;
        let order = insist(&town, &service.url).await;
        assert_one(&service, &peers, &order, mug).await;
        eventually(&format!("{point} strikes"), async || {
            struck(&town, &service.admin_url, &point).await
        })
        .await;
        assert_one(&service, &peers, &order, mug).await;
    }
}

async fn struck(town: &Town, admin_url: &str, point: &str) -> Option<()> {
    let http = reqwest::Client::new();
    let request = http.get(format!("{admin_url}/faults"));
    let answer = request.bearer_auth(town.operator_token()).send();
    let body: Value = answer.await.unwrap().json().await.unwrap();
    let points = body["points"].as_array().unwrap();
    let found = points.iter().find(|known| known["name"] == point);
    let found = found.unwrap_or_else(|| panic!("no {point} in {body}"));
    (found["injected"] == 1).then_some(())
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_citywatch-orders");

async fn process(town: &Town, peers: &Peers, situation: &Situation) -> Process {
    let settings = situation.settings(peers);
    Process::start(town.command::<Orders>(PROGRAM, &settings)).await
}

async fn dies(situation: Situation) {
    for point in situation.points() {
        let (town, peers, mug) = place(&situation).await;
        let first = process(&town, &peers, &situation).await;
        let kill = json!({ "action": "kill", "lease_ms": 30_000 });
        arm(&town, &first.admin_url, &point, &kill).await;
        let _ = post(&town, &first.url).await;
        let status = first.ended().await.status;
        assert!(status.code().is_none(), "{point}: {status}");

        let second = town.start::<Orders>(situation.settings(&peers)).await;
        let order = insist(&town, &second.url).await;
        assert_one(&second, &peers, &order, mug).await;
    }
}

/// Stopped for longer than its lease, it wakes when another has done its work.
async fn stops(situation: Situation) {
    for point in situation.points() {
        let (town, peers, mug) = place(&situation).await;
        let first = process(&town, &peers, &situation).await;
        // One that stops within a transaction keeps all others from writing, as SQLite has one
        // writer, and at any point another of its tasks may be within one: it has to wake later
        // than its lease and sooner than they lose patience.
        let stop = json!({ "action": "stop", "lease_ms": 2_500 });
        arm(&town, &first.admin_url, &point, &stop).await;
        let answer = {
            let (town, url) = (town.clone(), first.url.clone());
            tokio::spawn(async move { post(&town, &url).await })
        };
        let stat = format!("/proc/{}/stat", first.id());
        eventually(&format!("{point} stops it"), async || {
            let stat = std::fs::read_to_string(&stat).unwrap();
            // On a busy machine it may wake before anybody has looked; until then it does not answer.
            let woken = struck(&town, &first.admin_url, &point);
            let woken = tokio::time::timeout(Duration::from_millis(100), woken).await;
            (stat.contains(") T ") || woken == Ok(Some(()))).then_some(())
        })
        .await;
        let second = town.start::<Orders>(situation.settings(&peers)).await;
        let order = insist(&town, &second.url).await;
        assert_one(&second, &peers, &order, mug).await;

        first.resume();
        let answer = answer.await.unwrap().unwrap();
        if answer.status().is_success() {
            let told: Value = answer.json().await.unwrap();
            assert_eq!(told["id"], order["id"], "{point}");
        }
        eventually("it has let go", async || {
            let page = first.metrics().await;
            page.contains("\ncitywatch_orders_sagas_driven 0\n")
                .then_some(())
        })
        .await;
        assert_one(&second, &peers, &order, mug).await;
    }
}

#[tokio::test]
async fn every_point_is_in_a_situation() {
    let peers = Peers::start().await;
    let town = Town::new();
    let service = start(&town, &peers, json!({})).await;
    let request = service.http.get(format!("{}/faults", service.admin_url));
    let answer = request.bearer_auth(town.operator_token()).send();
    let body: Value = answer.await.unwrap().json().await.unwrap();
    let points = body["points"].as_array().unwrap().iter();
    let names = points.map(|point| point["name"].as_str().unwrap().to_owned());
    let own = names.filter(|name| {
        let strikes = name.ends_with("_commit") || name.ends_with("_send");
        strikes && !ELSEWHERE.iter().any(|of| name.starts_with(of))
    });
    let situations = [confirmed(), undone(), set_aside(), slow(), given_up()];
    let passed = situations.iter().flat_map(Situation::points);
    assert_eq!(passed.collect::<BTreeSet<_>>(), own.collect());
}

#[tokio::test]
async fn a_confirmed_order_survives_an_error_at_each_point() {
    fails_with_an_error(confirmed()).await;
}

#[tokio::test]
async fn a_cancelled_order_survives_an_error_at_each_point() {
    fails_with_an_error(undone()).await;
    fails_with_an_error(given_up()).await;
}

#[tokio::test]
async fn an_order_that_waits_survives_an_error_at_each_point() {
    fails_with_an_error(set_aside()).await;
    fails_with_an_error(slow()).await;
}

#[tokio::test]
async fn a_confirmed_order_survives_a_death_at_each_point() {
    dies(confirmed()).await;
}

#[tokio::test]
async fn a_cancelled_order_survives_a_death_at_each_point() {
    dies(undone()).await;
    dies(given_up()).await;
}

#[tokio::test]
async fn an_order_that_waits_survives_a_death_at_each_point() {
    dies(set_aside()).await;
    dies(slow()).await;
}

#[tokio::test]
async fn a_confirmed_order_survives_a_stop_at_each_point() {
    stops(confirmed()).await;
}

#[tokio::test]
async fn a_cancelled_order_survives_a_stop_at_each_point() {
    stops(undone()).await;
    stops(given_up()).await;
}

#[tokio::test]
async fn an_order_that_waits_survives_a_stop_at_each_point() {
    stops(set_aside()).await;
    stops(slow()).await;
}

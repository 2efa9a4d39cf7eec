//! A process dies, or stops for longer than its claim, at each named point.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use testing::{Town, eventually};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::crashes::{Instance, start};
use crate::till::{AMOUNT, Bank, brisk, counter, order};

const POINTS: [&str; 16] = [
    "capture.after_commit",
    "capture.before_commit",
    "charge.after_commit",
    "charge.after_send",
    "charge.before_commit",
    "charge.before_send",
    "lookup.after_send",
    "lookup.before_send",
    "reconcile.after_commit",
    "reconcile.before_commit",
    "refund.after_commit",
    "refund.after_send",
    "refund.before_commit",
    "refund.before_send",
    "refunded.after_commit",
    "refunded.before_commit",
];
/// Runs at a time: each has a bank and two processes.
const AT_ONCE: usize = 4;
/// Longer than any claim lasts here.
const STOPPED: Duration = Duration::from_millis(4_500);

struct Pair {
    /// Holds the stores and the bank's book.
    _town: Town,
    bank: Bank,
    broken: Instance,
    other: Instance,
    charged: Uuid,
    refunded: Uuid,
}

/// Two instances, the one of which has this armed and was asked to charge and to refund.
async fn struck(point: &str, action: &str, reconcile_after_ms: u64) -> Pair {
    let town = Town::new();
    let bank = Bank::open(&town).await;
    let mut settings = brisk(&bank);
    // The other does only what it is asked for: nothing that is to be struck.
    settings["resolve_interval_ms"] = json!(3_600_000);
    let other = start(&town, &settings).await;
    let mut settings = brisk(&bank);
    settings["faults_enabled"] = json!(true);
    settings["reconcile_after_ms"] = json!(reconcile_after_ms);
    let broken = start(&town, &settings).await;
    let (charged, refunded) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(broken.clerk.charge(refunded).await, "captured");
    let fault = json!({ "action": action, "lease_ms": 60_000, "count": 1 });
    let url = format!("{}/faults/{point}", broken.process.admin_url);
    let arm = broken.process.http.put(url);
    let arm = arm.bearer_auth(town.operator_token()).json(&fault);
    let armed = arm.send().await.unwrap();
    assert_eq!(armed.status(), 200, "{point}");

    let clerk = Arc::clone(&broken.clerk);
    tokio::spawn(async move {
        let charge = clerk.request(Method::PUT, &format!("charges/{charged}"));
        let _ = charge.json(&order(charged)).send().await;
        let refund = clerk.request(Method::PUT, &format!("refunds/{refunded}"));
        let _ = refund.send().await;
    });
    Pair {
        _town: town,
        bank,
        broken,
        other,
        charged,
        refunded,
    }
}

impl Pair {
    /// Whatever was done and not done: asked again, it comes to the right end.
    async fn assert_right(&self, about: &str) {
        let clerk = &self.other.clerk;
        eventually("it is charged", async || {
            (clerk.charge(self.charged).await == "captured").then_some(())
        })
        .await;
        eventually("it is refunded", async || {
            (clerk.refund(self.refunded).await == "refunded").then_some(())
        })
        .await;
        assert_eq!(self.bank.counts(self.charged).await, (1, 0), "{about}");
        assert_eq!(self.bank.counts(self.refunded).await, (1, 1), "{about}");
    }
}

async fn killed_at(point: &'static str) {
    let mut pair = struck(point, "kill", 200).await;
    eventually("the process is dead", || {
        let is_running = pair.broken.process.is_running();
        async move { (!is_running).then_some(()) }
    })
    .await;
    pair.assert_right(point).await;
}

fn is_stopped(instance: &Instance) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", instance.process.id()));
    let stat = stat.unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    after_name.trim_start().starts_with('T')
}

async fn stopped(instance: &Instance) {
    eventually("the process is stopped", async || {
        is_stopped(instance).then_some(())
    })
    .await;
    tokio::time::sleep(STOPPED).await;
    assert!(is_stopped(instance));
    instance.process.resume();
}

async fn stopped_at(point: &'static str) {
    let pair = struck(point, "stop", 200).await;
    stopped(&pair.broken).await;
    pair.assert_right(point).await;
    // What it still had to do, it has done or left alone.
    assert_eq!(pair.broken.clerk.charge(pair.charged).await, "captured");
    assert_eq!(pair.bank.counts(pair.charged).await, (1, 0), "{point}");
}

#[tokio::test]
async fn every_point_has_a_name() {
    let town = Town::new();
    let bank = Bank::open(&town).await;
    let mut settings = brisk(&bank);
    settings["faults_enabled"] = json!(true);
    let instance = start(&town, &settings).await;
    let request = &instance.process.http;
    let request = request.get(format!("{}/faults", instance.process.admin_url));
    let answer = request.bearer_auth(town.operator_token()).send().await;
    let answer: Value = answer.unwrap().json().await.unwrap();
    let named = answer["points"].as_array().unwrap().iter();
    let named = named.map(|point| point["name"].as_str().unwrap());
    let mut named: Vec<_> = named.filter(|name| !name.starts_with("call.")).collect();
    // Those of the chassis are struck where they are made.
    let is_own = |name: &str| !name.starts_with("feed.") && !name.starts_with("retention.");
    named.retain(|name| *name != "server" && is_own(name));
    named.sort_unstable();
    assert_eq!(named, POINTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_nobody_pays_twice_or_for_nothing() {
    each(killed_at).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_at_any_point_for_long_nobody_pays_twice_or_for_nothing() {
    each(stopped_at).await;
}

async fn each<F: Future<Output = ()> + Send + 'static>(run: impl Fn(&'static str) -> F) {
    let mut runs = JoinSet::new();
    for point in POINTS {
        if runs.len() == AT_ONCE {
            runs.join_next().await.unwrap().unwrap();
        }
        runs.spawn(run(point));
    }
    while let Some(outcome) = runs.join_next().await {
        outcome.unwrap();
    }
}

/// The last point before the wire, behind every look at the clock but the one when a call is woken.
/// What leaves the process late nonetheless is charged a second time, and given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_right_before_the_wire_nobody_pays_twice() {
    // Nothing but the charge calls the bank before that.
    let pair = struck("call.acquirer", "stop", 60_000).await;
    stopped(&pair.broken).await;
    let (bank, key) = (&pair.bank, pair.charged);
    eventually("somebody else has charged", async || {
        (pair.other.clerk.charge(key).await == "captured").then_some(())
    })
    .await;
    eventually("it is paid once, net", async || {
        (bank.net(key).await == AMOUNT).then_some(())
    })
    .await;
    // For longer than what was sent late can be under way.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bank.net(key).await, AMOUNT);
    let (charges, refunds) = bank.counts(key).await;
    assert_eq!(charges, refunds + 1);
    let mut given_back = 0;
    for instance in [&pair.broken, &pair.other] {
        let page = instance.process.metrics().await;
        given_back += counter(&page, "citywatch_payments_duplicates_refunded_total");
    }
    assert_eq!(given_back, refunds as u64);
}

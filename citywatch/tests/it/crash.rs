//! The crash table: every named point of every service, by `kill -9` and by a stop longer than any
//! lease, while shoppers buy. Afterwards the ledger is clean and every order at its end.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::process::Child;

use super::faults::{kill, stop};
use super::harness::{City, signal, within};

/// Orders adopts after this; whoever is stopped is stopped for longer.
const LEASE_MS: u64 = 1_000;
const STOP_MS: u64 = 2_500;
/// How long a point may take to be passed under one of the moods.
const PASSED: Duration = Duration::from_secs(6);
const TERMINAL: &str = "30s";
/// Hits of each point in the long form.
const HITS: u32 = 3;
const RANDOM_KILLS: usize = 100;
/// Under way at each random kill, at least.
const IN_FLIGHT: f64 = 5.0;

/// Services with points, each with the process that is harmed. Of those with two processes the
/// other one goes on, and adopts.
const TARGETS: [&str; 5] = [
    "orders-1",
    "payments-1",
    "inventory-1",
    "cart-1",
    "catalog-1",
];

/// Where most orders pass: the short form.
const SHORT: [(&str, &str); 14] = [
    ("orders-1", "order.before_commit"),
    ("orders-1", "order.after_commit"),
    ("orders-1", "reserve.before_send"),
    ("orders-1", "reserve.after_send"),
    ("orders-1", "reserve.after_commit"),
    ("orders-1", "charge.before_send"),
    ("orders-1", "charge.after_send"),
    ("orders-1", "charge.before_commit"),
    ("orders-1", "charge.after_commit"),
    ("orders-1", "confirm.after_send"),
    ("payments-1", "server"),
    ("payments-1", "call.acquirer"),
    ("inventory-1", "server"),
    ("cart-1", "server"),
];

/// What the bank and the rules are like, so that undoing is passed through as well as doing.
const MOODS: [(&str, &str); 4] = [
    ("fair", r#"{"delay_ms": 20}"#),
    ("declining", r#"{"decline": 0.7}"#),
    (
        "forgetful",
        r#"{"delay_ms": 50, "fail_before": 0.3, "fail_after": 0.5}"#,
    ),
    ("hanging", r#"{"hang_after": 0.7}"#),
];

#[derive(Clone, Copy, Debug, Default)]
struct Hits {
    kill: u32,
    stop: u32,
}

type Table = BTreeMap<(String, String), Hits>;

async fn raise() -> City {
    let lease = LEASE_MS.to_string();
    let rates = json!({"default": {}, "sign_in": {}, "order": {}}).to_string();
    let variables = [
        ("CITYWATCH_ORDERS__LEASE_MS", lease.as_str()),
        // An order whose bank says nothing is given up while the test still looks.
        ("CITYWATCH_ORDERS__GIVE_UP_MS", "6000"),
        ("CITYWATCH_ORDERS__RETRY_MAX_MS", "1000"),
        ("CITYWATCH_REGISTRY__LEASE_TTL_MS", "1500"),
        ("CITYWATCH_GATEWAY__RATES", rates.as_str()),
    ];
    City::raise(&["--faults", "--replicas", "orders=2"], &variables).await
}

/// Shoppers who buy until they are told to stop.
struct Shoppers(Child);

impl Shoppers {
    fn enter(city: &City, rate: &str) -> Self {
        let mut command = city.command(&[
            "load",
            "--mix",
            "buy",
            "--rate",
            rate,
            "--duration",
            "1h",
            "--json",
        ]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// The last look at every order, then what they say of their orders.
    async fn leave(self) -> Value {
        signal(i32::try_from(self.0.id().unwrap()).unwrap(), Signal::INT);
        let output = self.0.wait_with_output().await.unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["orders"].clone()
    }
}

/// Everybody leaves, the bank is fair again, and within half a minute all is settled.
async fn settle(city: &City, shoppers: Shoppers, what: &str) {
    city.bank(&json!({})).await;
    let left = Instant::now();
    let orders = shoppers.leave().await;
    let ledger = city.ledger(&["--wait", TERMINAL]).await;
    println!(
        "{what}: {orders}\n  ledger {} after {:.1} s: {}",
        if ledger.0 == Some(0) {
            "clean"
        } else {
            "NOT CLEAN"
        },
        left.elapsed().as_secs_f64(),
        ledger.1["counts"]
    );
    city.assert_clean(&ledger);
}

/// Kills a process at a point; true once it has died there.
async fn killed_at(city: &City, process: &str, point: &str) -> bool {
    let Some(pid) = city.pid(process) else {
        return false;
    };
    if !city.arm(process, point, &kill()).await {
        return false;
    }
    let died = within(PASSED, async || city.pid(process) != Some(pid)).await;
    if died.is_none() {
        city.disarm(process, point).await;
        return false;
    }
    // At once: how long it would have waited after so many deaths is no question here.
    city.prints(&["release", process]).await;
    true
}

/// Stops a process at a point for longer than a lease; true once it has stood still there.
async fn stopped_at(city: &City, process: &str, point: &str) -> bool {
    if !city.arm(process, point, &stop(STOP_MS)).await {
        return false;
    }
    let pid = city.pid(process).unwrap();
    let stands_still = async || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('T'))
    };
    // Its lease also ends if nobody passes.
    if within(Duration::from_millis(STOP_MS - 100), stands_still)
        .await
        .is_none()
    {
        city.disarm(process, point).await;
        return false;
    }
    let goes_on = within(Duration::from_millis(2 * STOP_MS), async || {
        !stands_still().await
    })
    .await;
    assert!(goes_on.is_some(), "{process} never went on after {point}");
    true
}

/// Strikes a point, under one mood of the bank after the other until somebody passes it.
async fn strike(city: &City, process: &str, point: &str, table: &mut Table, wanted: u32) {
    let hits = table
        .entry((process.to_owned(), point.to_owned()))
        .or_default();
    for (_, mood) in MOODS {
        city.bank(&serde_json::from_str(mood).unwrap()).await;
        while hits.kill < wanted && killed_at(city, process, point).await {
            hits.kill += 1;
        }
        while hits.stop < wanted && stopped_at(city, process, point).await {
            hits.stop += 1;
        }
        if hits.kill >= wanted && hits.stop >= wanted {
            return;
        }
    }
}

fn print(table: &Table) {
    println!(
        "{:<14} {:<32} {:>5} {:>5}",
        "process", "point", "kill", "stop"
    );
    for ((process, point), hits) in table {
        println!(
            "{process:<14} {point:<32} {:>5} {:>5}",
            hits.kill, hits.stop
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_lost_when_a_service_dies_where_it_hurts() {
    let city = raise().await;
    let shoppers = Shoppers::enter(&city, "20/s");
    let mut table = Table::new();
    city.bank(&json!({"delay_ms": 20})).await;
    for (process, point) in SHORT {
        let known = city.points(process).await;
        assert!(
            known.iter().any(|known| known.name == point),
            "{process} has no {point}: {known:?}"
        );
        let hits = table
            .entry((process.to_owned(), point.to_owned()))
            .or_default();
        hits.kill += u32::from(killed_at(&city, process, point).await);
    }
    for (process, point) in [("orders-1", "charge.after_send"), ("payments-1", "server")] {
        let hits = table
            .entry((process.to_owned(), point.to_owned()))
            .or_default();
        hits.stop += u32::from(stopped_at(&city, process, point).await);
    }
    print(&table);
    let missed: Vec<_> = table.iter().filter(|(_, hits)| hits.kill == 0).collect();
    assert!(
        missed.is_empty(),
        "never passed: {missed:?}\n{}",
        city.said()
    );
    settle(&city, shoppers, "short").await;
    city.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "an hour: scripts/crash runs it"]
async fn no_order_is_lost_wherever_a_service_dies_or_stands_still() {
    let city = raise().await;
    let mut table = Table::new();
    for process in TARGETS {
        let shoppers = Shoppers::enter(&city, "20/s");
        let ready = within(Duration::from_secs(10), async || {
            !city.points(process).await.is_empty()
        });
        assert!(
            ready.await.is_some(),
            "{process} has no points\n{}",
            city.said()
        );
        for point in city.points(process).await {
            strike(&city, process, &point.name, &mut table, HITS).await;
            let hits = table[&(process.to_owned(), point.name.clone())];
            println!(
                "{process} {}: {hits:?}, passed {} times before",
                point.name, point.hits
            );
        }
        settle(&city, shoppers, process).await;
    }
    print(&table);
    let missed: Vec<_> = table
        .iter()
        .filter(|(_, hits)| hits.kill < HITS || hits.stop < HITS)
        .collect();
    assert!(missed.is_empty(), "hit less than {HITS} times: {missed:?}");
    city.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: scripts/crash runs it"]
async fn no_order_is_lost_by_a_hundred_deaths_at_random() {
    let seed: u64 = std::env::var("CRASH_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("CRASH_SEED={seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let city = raise().await;
    city.bank(&json!({"delay_ms": 200})).await;
    let shoppers = Shoppers::enter(&city, "40/s");
    let victims = [
        "orders-1",
        "orders-2",
        "payments-1",
        "inventory-1",
        "cart-1",
        "catalog-1",
    ];
    let mut kills: BTreeMap<&str, u32> = BTreeMap::new();
    let mut least = f64::MAX;
    for _ in 0..RANDOM_KILLS {
        let mut under_way = 0.0;
        let busy = within(Duration::from_secs(20), async || {
            under_way = city
                .metric("orders-2", "citywatch_orders_sagas_unfinished", "")
                .await;
            under_way >= IN_FLIGHT
        });
        assert!(
            busy.await.is_some(),
            "only {under_way} under way\n{}",
            city.said()
        );
        least = least.min(under_way);
        let victim = victims[random.random_range(0..victims.len())];
        tokio::time::sleep(Duration::from_millis(random.random_range(0..200))).await;
        if let Some(pid) = city.pid(victim) {
            signal(pid, Signal::KILL);
            let died = within(Duration::from_secs(5), async || {
                city.pid(victim) != Some(pid)
            })
            .await;
            assert!(died.is_some(), "{victim} lives on");
            city.prints(&["release", victim]).await;
            *kills.entry(victim).or_default() += 1;
        }
    }
    println!("kills {kills:?}, at least {least} orders under way at each");
    settle(&city, shoppers, "random").await;
    city.stop().await;
}

//! The crash table: every named point of every service, by `kill -9` and by a stop longer than any
//! lease, while shoppers buy and what they did goes on in events. Afterwards the ledger is clean,
//! every order at its end, and every event's effect there once.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::process::Child;

use super::harness::{City, signal, within};
use super::poison::{Refusal, heal, refuse};
use super::strike::{ANY_MOMENT, Table, killed_at, stopped_at};
use super::visitors::Visitors;

/// Orders adopts after this; whoever is stopped is stopped for longer.
const LEASE_MS: u64 = 800;
/// Whoever is not heard of for so long is no longer found. The longest of all leases but one.
const REGISTERED_MS: u64 = 1_500;
const STILL: Duration = Duration::from_millis(2_000);
/// A claim of payments lasts 3.5 s and until the bank has settled, and SQLite waits no longer than
/// 5 s for another's transaction: between the two lies a stop of payments.
const SETTLE_MS: u64 = 500;
const STILL_PAYMENTS: Duration = Duration::from_millis(4_400);
const TERMINAL: &str = "30s";
/// Hits of each point in the long form.
const HITS: u32 = 3;
const RANDOM_KILLS: usize = 100;
/// Under way at each random kill, at least.
const IN_FLIGHT: f64 = 5.0;

/// Where most orders and their events pass: the short form.
const SHORT: [(&str, &str); 25] = [
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
    ("orders-1", "confirm.before_commit"),
    ("orders-1", "feed.before_commit"),
    ("orders-1", "feed.after_commit"),
    ("orders-1", "feed.before_send"),
    ("shipping-1", "orders.before_commit"),
    ("shipping-1", "orders.after_commit"),
    ("shipping-1", "orders.park.after_commit"),
    ("shipping-1", "orders.retry.before_commit"),
    ("shipping-1", "dispatch.after_commit"),
    ("notifications-1", "orders.after_commit"),
    ("recommendations-1", "orders.after_commit"),
];

/// Points that nobody can pass here, by what their names begin with, and why.
const NEVER: [(&str, &str, &str); 9] = [
    ("board-1", "feed.before_send", "nobody reads its feed"),
    ("board-1", "retention.", TOO_LITTLE),
    ("users-1", "retention.", TOO_LITTLE),
    (
        "catalog-1",
        "fill.",
        "it has its first products before it listens",
    ),
    ("notifications-1", "feed.", "it publishes nothing"),
    ("notifications-1", "retention.", "it publishes nothing"),
    ("recommendations-1", "feed.", "it publishes nothing"),
    ("recommendations-1", "retention.", "it publishes nothing"),
    ("shipping-1", "let_go.", "it is not asked to stop"),
];
const TOO_LITTLE: &str = "what it publishes has room in the least that is kept";

/// Which events consumers refuse, and what share of them, so that they are parked and tried again.
/// What seldom comes is refused more often.
const REFUSED: [Refusal; 10] = [
    ("shipping-1", "orders", 0.05),
    ("orders-1", "shipping", 0.05),
    ("orders-2", "shipping", 0.05),
    ("recommendations-1", "orders", 0.05),
    ("recommendations-1", "catalog", 0.05),
    ("catalog-1", "inventory", 0.05),
    ("notifications-1", "orders", 0.05),
    ("notifications-1", "shipping", 0.05),
    ("notifications-1", "payments", 0.8),
    ("notifications-1", "users", 0.5),
];

/// What the bank is like, in turns, so that undoing is passed through as well as doing.
const MOODS: [&str; 3] = [
    r#"{"delay_ms": 20}"#,
    r#"{"delay_ms": 50, "jitter_ms": 600, "decline": 0.2, "fail_before": 0.2, "fail_after": 0.3}"#,
    r#"{"delay_ms": 50, "fail_before": 0.2, "hang_after": 0.6}"#,
];
const MOOD: Duration = Duration::from_secs(5);

/// What makes orders wait, retry, give up and be adopted within the time of a test.
async fn raise(further: &[(&str, &str)]) -> City {
    let [lease, registered, settle] =
        [LEASE_MS, REGISTERED_MS, SETTLE_MS].map(|millis| millis.to_string());
    let rates = json!({"default": {}, "sign_in": {}, "order": {}}).to_string();
    let mut variables = vec![
        ("CITYWATCH_ORDERS__LEASE_MS", lease.as_str()),
        // An order whose bank says nothing is given up while the test still looks.
        ("CITYWATCH_ORDERS__GIVE_UP_MS", "6000"),
        ("CITYWATCH_ORDERS__RETRY_MAX_MS", "1000"),
        ("CITYWATCH_PAYMENTS__SETTLE_MS", settle.as_str()),
        ("CITYWATCH_REGISTRY__LEASE_TTL_MS", registered.as_str()),
        ("CITYWATCH_SHIPPING__DISPATCH_AFTER_MS", "200"),
        ("CITYWATCH_SHIPPING__DELIVER_AFTER_MS", "200"),
        // What is refused was refused by chance: it is tried again soon, and never given up.
        ("CITYWATCH_CITY__EVENTS_BACKOFF_MS", "50"),
        ("CITYWATCH_CITY__EVENTS_BACKOFF_MAX_MS", "500"),
        ("CITYWATCH_CITY__EVENTS_ATTEMPTS", "1000"),
        ("CITYWATCH_GATEWAY__RATES", rates.as_str()),
    ];
    variables.retain(|(name, _)| !further.iter().any(|(other, _)| other == name));
    variables.extend(further);
    // Of those with two processes the other one goes on, and takes over.
    let twice = ["--replicas", "orders=2", "--replicas", "payments=2"];
    City::raise(&[["--faults"].as_slice(), &twice].concat(), &variables).await
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

/// The bank has one mood after the other.
async fn moods(city: &City) {
    for mood in MOODS.into_iter().cycle() {
        city.bank(&serde_json::from_str(mood).unwrap()).await;
        tokio::time::sleep(MOOD).await;
    }
}

/// Who may pass a point: one of a group of consumers follows a feed, and which one changes.
fn whoever_passes<'a>(process: &'a str, point: &str) -> Vec<&'a str> {
    let of_the_feed = point.starts_with("shipping.") || point == "call.shipping";
    if process == "orders-1" && of_the_feed {
        vec![process, "orders-2"]
    } else {
        vec![process]
    }
}

/// How long a process stands still when it is stopped.
fn still(process: &str) -> Duration {
    match process {
        "payments-1" => STILL_PAYMENTS,
        _ => STILL,
    }
}

/// Strikes every point of these processes, each until it was hit often enough. What nobody passes
/// gets a second chance at the end.
async fn strike(city: &City, processes: &[String], points: &[(String, String)]) -> Table {
    let mut table = Table::default();
    for _ in 0..2 {
        for (process, point) in points.iter().filter(|(of, _)| processes.contains(of)) {
            let started = Instant::now();
            let hits = table.at(process, point);
            let whoever = whoever_passes(process, point);
            while hits.kill < HITS && killed_at(city, &whoever, point).await {
                hits.kill += 1;
            }
            while hits.stop < HITS && stopped_at(city, &whoever, point, still(process)).await {
                hits.stop += 1;
            }
            let took = started.elapsed().as_secs_f64();
            println!("{process} {point}: {hits:?} in {took:.1} s");
        }
    }
    table
}

/// Every point that somebody can pass, of the processes that `CRASH_OF` names (`shipping,board`),
/// or of all.
async fn all_points(city: &City) -> Vec<(String, String)> {
    let of = std::env::var("CRASH_OF").unwrap_or_default();
    let is_meant = |process: &String| {
        of.is_empty()
            || of
                .split(',')
                .any(|service| *process == format!("{service}-1"))
    };
    let mut points = Vec::new();
    for process in city.first_of_each().into_iter().filter(is_meant) {
        let mut known = city.points(&process).await;
        for (_, prefix, why) in NEVER.iter().filter(|(of, _, _)| *of == process) {
            let there = known.len();
            known.retain(|point| !point.starts_with(prefix));
            println!("{process} {prefix}*: not struck, {why}");
            assert!(known.len() < there, "{process} has no {prefix}*");
        }
        // There they are refused meanwhile; what follows is struck.
        known.retain(|point| !point.ends_with(".effect"));
        if known.is_empty() {
            known.push(ANY_MOMENT.to_owned());
        }
        points.extend(known.into_iter().map(|point| (process.clone(), point)));
    }
    points
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_lost_when_a_service_dies_where_it_hurts() {
    let city = raise(&[]).await;
    let shoppers = Shoppers::enter(&city, "20/s");
    let mut table = Table::default();
    city.bank(&json!({"delay_ms": 20})).await;
    let refused = [("shipping-1", "orders", 0.2)];
    let striking = async {
        for (process, point) in SHORT {
            let known = city.points(process).await;
            assert!(
                known.iter().any(|known| known == point),
                "{process} has no {point}: {known:?}"
            );
            let hit = killed_at(&city, &[process], point).await;
            table.at(process, point).kill += u32::from(hit);
        }
        let missed = table.short_of(1, 0);
        for (process, point) in [
            ("orders-1", "charge.after_send"),
            ("payments-1", "server"),
            ("shipping-1", "orders.before_commit"),
        ] {
            let hit = stopped_at(&city, &[process], point, still(process)).await;
            assert!(hit, "{process} never passed {point}\n{}", city.said());
            table.at(process, point).stop += 1;
        }
        missed
    };
    let missed = tokio::select! {
        missed = striking => missed,
        () = refuse(&city, &refused) => unreachable!("they refuse for ever"),
    };
    println!("{table}");
    heal(&city, &refused).await;
    settle(&city, shoppers, "short").await;
    assert!(
        missed.is_empty(),
        "never passed: {missed:?}\n{}",
        city.said()
    );
    city.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half an hour: scripts/crash runs it"]
async fn no_order_is_lost_wherever_a_service_dies_or_stands_still() {
    let city = raise(&[
        // Most orders are answered before the bank has said anything, and given up soon.
        ("CITYWATCH_ORDERS__ANSWER_WITHIN_MS", "300"),
        ("CITYWATCH_ORDERS__GIVE_UP_MS", "2500"),
        // Some reservations do not outlast their order.
        ("CITYWATCH_INVENTORY__RESERVATION_TTL_MS", "3000"),
        ("CITYWATCH_PAYMENTS__RECONCILE_AFTER_MS", "1000"),
        ("CITYWATCH_CART__CART_TTL_MS", "60000"),
        ("CITYWATCH_CART__SWEEP_INTERVAL_MS", "250"),
        ("CITYWATCH_USERS__ACCESS_TOKEN_SECONDS", "7200"),
        // Some thousand events.
        ("CITYWATCH_CITY__EVENTS_RETENTION_MIB", "1"),
    ])
    .await;
    let visitors = Visitors::enter(&city).await;
    let points = all_points(&city).await;
    println!("{} points: {points:?}", points.len());
    let shoppers = Shoppers::enter(&city, "25/s");
    // Orders has a third of all points, and who only consumes another.
    let (orders, others): (Vec<_>, Vec<_>) = city
        .first_of_each()
        .into_iter()
        .partition(|process| process == "orders-1");
    let (consumers, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|process| {
        ["shipping-1", "notifications-1", "recommendations-1"].contains(&process.as_str())
    });
    let striking = async {
        tokio::join!(
            strike(&city, &orders, &points),
            strike(&city, &consumers, &points),
            strike(&city, &others, &points)
        )
    };
    let (mut table, of_consumers, of_others) = tokio::select! {
        tables = striking => tables,
        () = moods(&city) => unreachable!("moods change for ever"),
        () = visitors.stroll(&city) => unreachable!("visitors stroll for ever"),
        () = refuse(&city, &REFUSED) => unreachable!("they refuse for ever"),
    };
    table.extend(of_consumers);
    table.extend(of_others);
    println!("{table}");
    heal(&city, &REFUSED).await;
    settle(&city, shoppers, "all").await;
    let missed = table.short_of(HITS, HITS);
    assert!(missed.is_empty(), "hit less than {HITS} times: {missed:#?}");
    city.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: scripts/crash runs it"]
async fn no_order_is_lost_by_a_hundred_deaths_at_random() {
    let seed: u64 = std::env::var("CRASH_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("CRASH_SEED={seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let city = raise(&[]).await;
    city.bank(&json!({"delay_ms": 200})).await;
    let shoppers = Shoppers::enter(&city, "40/s");
    let victims = [
        "orders-1",
        "orders-2",
        "payments-1",
        "inventory-1",
        "cart-1",
        "catalog-1",
        "shipping-1",
        "notifications-1",
        "recommendations-1",
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

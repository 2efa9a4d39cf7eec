//! An event that one of its consumers cannot take: it is tried again and again, then put aside with
//! its subject, until an operator has it replayed, or gives it up.

use serde_json::{Value, json};

use super::super::harness::{City, trace_id, within};
use super::trace::Span;
use super::{FOLLOWS, QUICK_PARCELS};

const ATTEMPTS: u64 = 3;
const PROCESS: &str = "notifications-1";
/// What shipping says, taken by notifications; a failure here is the event's own.
const POINT: &str = "shipping.effect";
const DISPATCHED: &str = "shipping.ShipmentDispatched.v1";
/// All that is told of an order that arrives.
const ALL: [&str; 3] = [
    "order_confirmed",
    "shipment_delivered",
    "shipment_dispatched",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_poisoned_event_waits_for_an_operator_and_keeps_only_its_subject_waiting() {
    let attempts = ATTEMPTS.to_string();
    let patience = [
        (
            "CITYWATCH_NOTIFICATIONS__EVENTS_ATTEMPTS",
            attempts.as_str(),
        ),
        ("CITYWATCH_NOTIFICATIONS__EVENTS_BACKOFF_MS", "100"),
    ];
    let city = City::raise(&["--faults"], &[QUICK_PARCELS, patience].concat()).await;
    let token = city.member("mina@example.com").await;
    let product = city.products().await.remove(0);
    poison(&city).await;
    let (order, trace) = order(&city, &token, &product, "poisoned").await;
    let letter = dead_letter(&city, &order).await;
    its_trace_shows_every_attempt(&city, &trace).await;
    other_subjects_pass(&city, &product).await;
    // And what was told of this one is what came before.
    assert_eq!(city.told(&token, &order).await, ["order_confirmed"]);
    the_city_says_so(&city, &order).await;

    let event = letter["event_id"].as_str().unwrap();
    let replayed = city.prints(&["events", "replay", event]).await;
    assert!(replayed.contains("healed"), "{replayed}");
    all_is_told(&city, &token, &order).await;
    assert_eq!(city.letters().await, Vec::<Value>::new());
    the_cure_is_in_the_same_trace(&city, &trace).await;
    let ledger = city.ledger(&["--wait", "60s", "--strangers"]).await;
    city.assert_clean(&ledger);

    given_up_it_is_told_never_and_its_subject_goes_on(&city, &token, &product).await;
    city.stop().await;
}

/// The next event that notifications takes of shipping fails, as often as it is tried.
async fn poison(city: &City) {
    let points = city.points(PROCESS).await;
    assert!(points.iter().any(|point| point == POINT), "{points:?}");
    let fault = json!({"action": "error", "count": ATTEMPTS, "lease_ms": 60_000});
    assert!(city.arm(PROCESS, POINT, &fault).await);
}

async fn order(city: &City, token: &str, product: &str, key: &str) -> (String, String) {
    city.put_in_cart(token, product, 1).await;
    let answer = city.order(token, key, &json!({})).await.unwrap();
    let (status, trace) = (answer.status(), trace_id(&answer));
    let order: Value = answer.json().await.unwrap();
    assert!(status.is_success(), "{status}: {order}");
    let order = order["id"].as_str().unwrap().to_owned();
    assert_eq!(city.outcome(token, &order).await["status"], "confirmed");
    (order, trace)
}

/// The event is dead, and the next one of its subject waits behind it.
async fn dead_letter(city: &City, order: &str) -> Value {
    let mut letters = Vec::new();
    let dead = within(FOLLOWS, async || {
        letters = city.letters().await;
        letters.len() == 1 && letters[0]["state"] == "dead" && letters[0]["waiting"] == 1
    });
    assert!(dead.await.is_some(), "{letters:#?}\n{}", city.said());
    let letter = letters.remove(0);
    assert_eq!(letter["service"], "notifications");
    assert_eq!(letter["feed"], "shipping");
    assert_eq!(letter["type"], DISPATCHED);
    assert_eq!(letter["subject"], order);
    assert_eq!(letter["attempts"], ATTEMPTS);
    assert!(
        letter["reason"].as_str().unwrap().contains("injected"),
        "{letter:#}"
    );
    assert_eq!(letter["event"]["data"]["order_id"], order, "{letter:#}");
    letter
}

/// The attempts of notifications at what was dispatched, in their order.
async fn attempts(city: &City, trace: &str) -> Vec<Span> {
    let spans = city.spans_of("observatory", trace).await;
    let mut attempts: Vec<Span> = spans
        .into_iter()
        .filter(|span| span.service == "notifications")
        .filter(|span| span.tags.get("citywatch.event.type") == Some(&json!(DISPATCHED)))
        .collect();
    attempts.sort_by_key(number);
    attempts
}

fn number(span: &Span) -> u64 {
    let number = span.tags.get("citywatch.event.attempt");
    number.and_then(Value::as_u64).unwrap_or_default()
}

fn failed(span: &Span) -> bool {
    span.tags.get("error") == Some(&json!(true))
}

async fn its_trace_shows_every_attempt(city: &City, trace: &str) {
    let mut shown = Vec::new();
    let all = within(FOLLOWS, async || {
        shown = attempts(city, trace).await;
        shown.len() as u64 == ATTEMPTS
    });
    assert!(all.await.is_some(), "{shown:#?}\n{}", city.said());
    let numbers: Vec<u64> = shown.iter().map(number).collect();
    assert_eq!(numbers, [1, 2, 3], "{shown:#?}");
    assert!(shown.iter().all(failed), "{shown:#?}");
    let said = |span: &Span| {
        span.events
            .contains(&"citywatch.event.dead_letter".to_owned())
    };
    let said: Vec<bool> = shown.iter().map(said).collect();
    assert_eq!(said, [false, false, true], "{shown:#?}");
}

async fn other_subjects_pass(city: &City, product: &str) {
    let token = city.member("juno@example.com").await;
    let (order, _) = order(city, &token, product, "other").await;
    all_is_told(city, &token, &order).await;
}

async fn all_is_told(city: &City, token: &str, order: &str) {
    let mut told = Vec::new();
    let all = within(FOLLOWS, async || {
        told = city.told(token, order).await;
        told == ALL
    });
    assert!(all.await.is_some(), "{told:?}\n{}", city.said());
}

async fn the_city_says_so(city: &City, order: &str) {
    for (metric, count) in [
        ("citywatch_events_dead_letters", 1.0),
        ("citywatch_events_waiting", 1.0),
        ("citywatch_events_lag_events", 0.0),
    ] {
        let mut found = -1.0;
        let told = within(FOLLOWS, async || {
            found = city.metric(PROCESS, metric, "feed=\"shipping\"").await;
            (found - count).abs() < f64::EPSILON
        });
        assert!(told.await.is_some(), "{metric} is {found}, not {count}");
    }
    let standing = city.standing("notifications", "shipping").await;
    let counts = ["retrying", "waiting", "dead", "lag_events"].map(|key| &standing[key]);
    assert_eq!(counts, [0, 1, 1, 0], "{standing:#}");
    // A table for people, and a code for scripts.
    let lag = city.citywatch(&["events", "lag"]).await;
    let table = String::from_utf8_lossy(&lag.stdout);
    assert_eq!(lag.status.code(), Some(1), "{table}");
    assert!(
        table.contains("citywatch events dead --service notifications"),
        "{table}"
    );
    let (code, report) = city.ledger(&["--strangers"]).await;
    assert_eq!(code, Some(1), "{report:#}");
    let violations = report["violations"].as_array().unwrap();
    let untold = violations
        .iter()
        .filter(|one| one["invariant"] == "told_once");
    let subjects: Vec<&Value> = untold.map(|one| &one["subject"]).collect();
    assert_eq!(subjects, [order, order], "{report:#}");
    assert_eq!(report["invariants"]["shipped_once"], 0, "{report:#}");
}

async fn the_cure_is_in_the_same_trace(city: &City, trace: &str) {
    let mut shown = Vec::new();
    let cured = within(FOLLOWS, async || {
        shown = attempts(city, trace).await;
        shown.len() as u64 == ATTEMPTS + 1
    });
    assert!(cured.await.is_some(), "{shown:#?}\n{}", city.said());
    let last = shown.last().unwrap();
    assert_eq!(
        (number(last), failed(last)),
        (ATTEMPTS + 1, false),
        "{shown:#?}"
    );
}

async fn given_up_it_is_told_never_and_its_subject_goes_on(
    city: &City,
    token: &str,
    product: &str,
) {
    poison(city).await;
    let (order, _) = order(city, token, product, "given-up").await;
    let letter = dead_letter(city, &order).await;
    let unknown = city
        .citywatch(&["events", "discard", "no-such-event"])
        .await;
    assert_eq!(unknown.status.code(), Some(1));
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert!(said.contains("citywatch events dead"), "{said}");
    city.prints(&["events", "discard", letter["event_id"].as_str().unwrap()])
        .await;
    let mut told = Vec::new();
    let without = within(FOLLOWS, async || {
        told = city.told(token, &order).await;
        told == ["order_confirmed", "shipment_delivered"]
    });
    assert!(without.await.is_some(), "{told:?}\n{}", city.said());
    assert_eq!(city.letters().await, Vec::<Value>::new());
    let (code, report) = city.ledger(&["--wait", "5s", "--strangers"]).await;
    assert_eq!(code, Some(1), "{report:#}");
    let invariants = ["told_once", "all_terminal"].map(|name| &report["invariants"][name]);
    assert_eq!(invariants, [1, 0], "{report:#}");
}

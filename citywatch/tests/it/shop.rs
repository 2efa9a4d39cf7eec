//! An order through the one door: its trace, its key, its last pieces, and what the ledger says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::harness::{City, trace_id, within};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);
/// What is on the shelf for the crowd, and the crowd.
const LAST: u64 = 10;
const BUYERS: usize = 200;
/// Proportional set size of the whole city.
const MEMORY: u64 = 200_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_and_one_order_however_often_it_is_sent() {
    let city = City::raise(&[], &[]).await;
    let token = city.member("mina@example.com").await;
    let product = city.products().await.remove(0);
    an_order_is_one_trace_up_to_the_bank(&city, &token, &product).await;
    the_key_rules(&city, &token, &product).await;
    many_at_once_with_one_key_are_one_order(&city, &token, &product).await;
    let ledger = city.ledger(&["--wait", "30s", "--strangers"]).await;
    city.assert_clean(&ledger);
    assert_eq!(ledger.1["counts"]["confirmed"], 3, "{:#}", ledger.1);
    city.stop().await;
}

async fn an_order_is_one_trace_up_to_the_bank(city: &City, token: &str, product: &str) {
    city.put_in_cart(token, product, 2).await;
    let answer = city
        .order(token, "first", &json!({"note": "ring twice"}))
        .await
        .unwrap();
    let (status, id) = (answer.status(), trace_id(&answer));
    assert!(answer.headers().contains_key("location"));
    let order: Value = answer.json().await.unwrap();
    assert_eq!(status, StatusCode::CREATED, "{order}\n{}", city.said());
    assert_eq!(order["status"], "confirmed", "{order}\n{}", city.said());
    let price = &order["items"][0]["price"]["amount"];
    assert_eq!(
        order["total"]["amount"].as_i64(),
        price.as_i64().map(|price| 2 * price)
    );

    // What comes after the answer has a test of its own.
    let services = [
        "cart",
        "catalog",
        "gateway",
        "inventory",
        "orders",
        "payments",
    ];
    let whole = within(SOON, async || {
        let trace = city.trace(&id).await;
        trace.is_some_and(|trace| {
            let has = |service: &&str| trace.services.contains_key(*service);
            services.iter().all(has) && trace.orphans == 0
        })
    });
    let whole = whole.await;
    let trace = city.trace(&id).await;
    assert!(whole.is_some(), "{id}: {trace:?}\n{}", city.said());
    assert_eq!(trace.unwrap().roots, 1);
    the_bank_answers_without_a_span(city, &id).await;
}

/// Payments' call to the bank is there as a client span that no server span belongs to.
async fn the_bank_answers_without_a_span(city: &City, id: &str) {
    let url = format!("{}/api/traces/{id}", city.address("observatory"));
    let answer: Value = city
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let trace = &answer["data"][0];
    let spans = trace["spans"].as_array().unwrap();
    let parents: BTreeSet<&str> = spans
        .iter()
        .flat_map(|span| span["references"].as_array().unwrap())
        .filter_map(|parent| parent["spanID"].as_str())
        .collect();
    let tag = |span: &Value, key: &str| {
        let tags = span["tags"].as_array().unwrap();
        let tag = tags.iter().find(|tag| tag["key"] == key);
        tag.map(|tag| tag["value"].to_string()).unwrap_or_default()
    };
    let to_the_bank = spans.iter().find(|span| {
        let process = span["processID"].as_str().unwrap();
        trace["processes"][process]["serviceName"] == "payments"
            && tag(span, "span.kind").contains("client")
            && tag(span, "url.full").contains("/charges")
    });
    let Some(span) = to_the_bank else {
        panic!("no call to the bank in {trace:#}");
    };
    assert!(
        !parents.contains(span["spanID"].as_str().unwrap()),
        "{span:#}"
    );
}

async fn the_key_rules(city: &City, token: &str, product: &str) {
    city.put_in_cart(token, product, 1).await;
    let body = json!({"note": "one"});
    let first = city.order(token, "second", &body).await.unwrap();
    assert_eq!(first.status(), StatusCode::CREATED);
    assert!(!first.headers().contains_key("idempotency-replayed"));
    let order = first.bytes().await.unwrap();
    // The cart has changed; the answer has not.
    city.put_in_cart(token, product, 3).await;
    let again = city.order(token, "second", &body).await.unwrap();
    assert_eq!(again.status(), StatusCode::CREATED);
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.bytes().await.unwrap(), order);

    let other = city
        .order(token, "second", &json!({"note": "two"}))
        .await
        .unwrap();
    refused(
        other,
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
    )
    .await;
    let none = city
        .ask(Method::POST, "/api/orders", token, Some(&body))
        .await
        .unwrap();
    refused(none, StatusCode::BAD_REQUEST, "idempotency_key_required").await;
    let long = city.order(token, &"k".repeat(256), &body).await.unwrap();
    refused(long, StatusCode::BAD_REQUEST, "invalid_idempotency_key").await;
    // A key is a member's own.
    let stranger = city.member("juno@example.com").await;
    let empty = city.order(&stranger, "second", &body).await.unwrap();
    refused(empty, StatusCode::UNPROCESSABLE_ENTITY, "cart_empty").await;
}

async fn refused(answer: reqwest::Response, status: StatusCode, code: &str) {
    assert_eq!(answer.status(), status);
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], code, "{problem}");
}

async fn many_at_once_with_one_key_are_one_order(city: &City, token: &str, product: &str) {
    city.put_in_cart(token, product, 1).await;
    let body = json!({});
    let sent = (0..10).map(|_| city.order(token, "third", &body));
    let answers = futures_util::future::join_all(sent).await;
    let mut orders = BTreeSet::new();
    for answer in answers {
        let answer = answer.unwrap();
        match answer.status() {
            StatusCode::CREATED | StatusCode::ACCEPTED => {
                let order: Value = answer.json().await.unwrap();
                orders.insert(order["id"].as_str().unwrap().to_owned());
            }
            StatusCode::CONFLICT => {
                assert!(answer.headers().contains_key("retry-after"));
                refused(answer, StatusCode::CONFLICT, "idempotency_key_in_use").await;
            }
            other => panic!("{other}: {:?}", answer.text().await),
        }
    }
    assert_eq!(orders.len(), 1, "{orders:?}");
    let order = orders.first().unwrap();
    assert_eq!(city.outcome(token, order).await["status"], "confirmed");
    let list = city
        .ask(Method::GET, "/api/orders", token, None)
        .await
        .unwrap();
    let list: Value = list.json().await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 3, "{list:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_last_ten_pieces_exactly_ten_are_sold() {
    let rates = json!({"default": {}, "sign_in": {}, "order": {}}).to_string();
    let variables = [
        ("CITYWATCH_GATEWAY__RATES", rates.as_str()),
        ("CITYWATCH_USERS__HASH_CONCURRENCY", "2"),
    ];
    let city = City::raise(&[], &variables).await;
    let admin = city.admin().await;
    let product = city.products().await.remove(0);
    let shelf = format!("/api/admin/stock/{product}");
    let body = json!({"on_hand": LAST});
    let set = city
        .ask(Method::PUT, &shelf, &admin, Some(&body))
        .await
        .unwrap();
    assert_eq!(set.status(), StatusCode::OK, "{}", city.said());

    let mut buyers = Vec::new();
    // Few at a time: passwords are hashed one after the other, and a long queue is refused.
    for some in (0..BUYERS).collect::<Vec<_>>().chunks(20) {
        let joining = some.iter().map(async |number| {
            let token = city.member(&format!("buyer-{number}@example.com")).await;
            let filled = city.put_in_cart(&token, &product, 1).await;
            assert_eq!(filled.status(), StatusCode::OK, "{}", city.said());
            token
        });
        buyers.extend(futures_util::future::join_all(joining).await);
    }
    let refusals = Mutex::new(BTreeMap::new());
    let buying = buyers.iter().map(async |token| {
        let order = insist(&city, token, &refusals).await;
        city.outcome(token, order["id"].as_str().unwrap()).await
    });
    let orders = futures_util::future::join_all(buying).await;
    println!("told to come again: {:?}", refusals.into_inner().unwrap());
    let with = |status: &str| {
        orders
            .iter()
            .filter(|order| order["status"] == status)
            .count()
    };
    assert_eq!((with("confirmed"), with("cancelled")), (10, BUYERS - 10));
    for order in orders.iter().filter(|order| order["status"] == "cancelled") {
        assert_eq!(order["reason"], "out_of_stock", "{order}");
    }
    let row = city.ask(Method::GET, &shelf, &admin, None).await.unwrap();
    let row: Value = row.json().await.unwrap();
    let counts = ["on_hand", "held", "sold"].map(|key| row[key].as_i64().unwrap());
    assert_eq!(counts, [0, 0, 10], "{row}");
    let ledger = city.ledger(&["--wait", "30s", "--strangers"]).await;
    city.assert_clean(&ledger);
    city.stop().await;
}

/// After a load, and without what the observatory keeps by its own budget.
async fn the_city_is_small(city: &City) {
    let doctor = city.citywatch(&["doctor", "--json"]).await;
    let report: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let bytes = report["memory"]["total_without_spans_bytes"]
        .as_u64()
        .unwrap();
    println!("the city takes {} MB", bytes / 1_000_000);
    assert!(bytes < MEMORY, "{:#}", report["memory"]);
}

/// Orders as somebody does who was told that the shop is too full: again, with the same key.
async fn insist(city: &City, token: &str, refusals: &Mutex<BTreeMap<String, u32>>) -> Value {
    let mut order = Value::Null;
    let answered = within(Duration::from_secs(90), async || {
        let Ok(answer) = city.order(token, "the-last", &json!({})).await else {
            return false;
        };
        let status = answer.status();
        order = answer.json().await.unwrap_or_default();
        if !status.is_success() {
            let why = format!("{} {}", status.as_u16(), order["code"]);
            *refusals.lock().unwrap().entry(why).or_default() += 1;
        }
        match status {
            StatusCode::CREATED | StatusCode::ACCEPTED => true,
            StatusCode::CONFLICT => false,
            refused if refused.is_server_error() => false,
            other => panic!("{other}: {order}"),
        }
    });
    assert!(answered.await.is_some(), "{order}\n{}", city.said());
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_clean_after_a_load_and_not_when_a_witness_says_otherwise() {
    let city = City::raise(&[], &[]).await;
    let arguments = [
        "load",
        "--mix",
        "buy",
        "--rate",
        "25/s",
        "--duration",
        "12s",
        "--seed",
        "7",
        "--json",
    ];
    let report: Value = serde_json::from_str(&city.prints(&arguments).await).unwrap();
    assert_eq!(report["errors"], 0, "{report:#}\n{}", city.said());
    let orders = &report["orders"];
    assert!(orders["confirmed"].as_u64().unwrap() > 10, "{report:#}");
    assert!(orders["repeated"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!(
        (&orders["open"], &orders["unanswered"]),
        (&json!(0), &json!(0)),
        "{report:#}"
    );
    let ledger = city.ledger(&["--wait", "30s"]).await;
    city.assert_clean(&ledger);
    assert_eq!(
        ledger.1["counts"]["confirmed"], orders["confirmed"],
        "{:#}",
        ledger.1
    );
    println!("clean ledger: {}", ledger.1["counts"]);
    the_city_is_small(&city).await;

    let book = fs::read_to_string(city.data().join("acquirer.book.jsonl")).unwrap();
    let lines: Vec<&str> = book.lines().collect();
    let charge = lines
        .iter()
        .rposition(|line| line.contains("\"charge\""))
        .unwrap();
    let mut forgotten = lines.clone();
    let one = forgotten.remove(charge);
    let mut twice = lines.clone();
    twice.push(one);
    let cheaper = one.replace("\"amount\":", "\"amount\":1");
    let mut dearer = lines.clone();
    dearer[charge] = &cheaper;
    for (lines, invariant) in [
        (forgotten, "no_lost"),
        (twice, "no_duplicate"),
        (dearer, "money_conserved"),
    ] {
        let copy = city.data().join("copy.jsonl");
        fs::write(&copy, lines.join("\n") + "\n").unwrap();
        let (code, report) = city.ledger(&["--book", copy.to_str().unwrap()]).await;
        assert_eq!(code, Some(1), "{report:#}");
        assert_ne!(
            report["invariants"][invariant], 0,
            "{invariant}: {report:#}"
        );
    }
    // A journal that was never told of an order finds a phantom, and no journal is no ledger.
    let journal = fs::read_to_string(city.data().join("orders.journal.jsonl")).unwrap();
    let record: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    let key = record["key"].as_str().unwrap();
    let without: Vec<&str> = journal.lines().filter(|line| !line.contains(key)).collect();
    let copy = city.data().join("copy.jsonl");
    fs::write(&copy, without.join("\n") + "\n").unwrap();
    let (code, report) = city.ledger(&["--journal", copy.to_str().unwrap()]).await;
    assert_eq!(
        (code, &report["invariants"]["no_phantom"]),
        (Some(1), &json!(1)),
        "{report:#}"
    );
    let (code, _) = city.ledger(&["--journal", "/nowhere/journal.jsonl"]).await;
    assert_eq!(code, Some(2));
    city.stop().await;
}

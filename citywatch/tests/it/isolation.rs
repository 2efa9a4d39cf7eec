//! Each service stopped in turn: what goes on, and what is refused how.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::harness::{City, within};

/// Browsing may suffer this much from a bank that hangs.
const RATIO: f64 = 3.0;
/// What an order may take, whatever hangs behind it.
const BUDGET: Duration = Duration::from_secs(5);
const LOOKS: usize = 300;
const ROUNDS: usize = 3;

/// What somebody wants to do.
const JOURNEYS: [&str; 11] = [
    "log_in", "profile", "browse", "search", "cart", "order", "orders", "related", "parcel",
    "messages", "posts",
];

/// Who is away, and what each journey is answered.
const TABLE: [(&str, [u16; 11]); 13] = [
    (
        "users",
        [503, 503, 200, 200, 200, 201, 200, 200, 200, 200, 200],
    ),
    (
        "catalog",
        [200, 200, 503, 503, 200, 503, 200, 200, 200, 200, 200],
    ),
    (
        "cart",
        [200, 200, 200, 200, 503, 503, 200, 200, 200, 200, 200],
    ),
    (
        "inventory",
        [200, 200, 200, 200, 200, 202, 200, 200, 200, 200, 200],
    ),
    (
        "payments",
        [200, 200, 200, 200, 200, 202, 200, 200, 200, 200, 200],
    ),
    (
        "orders",
        [200, 200, 200, 200, 200, 503, 503, 200, 200, 200, 200],
    ),
    (
        "shipping",
        [200, 200, 200, 200, 200, 201, 200, 200, 503, 200, 200],
    ),
    (
        "board",
        [200, 200, 200, 200, 200, 201, 200, 200, 200, 200, 503],
    ),
    (
        "notifications",
        [200, 200, 200, 200, 200, 201, 200, 200, 200, 503, 200],
    ),
    (
        "recommendations",
        [200, 200, 200, 200, 200, 201, 200, 200, 200, 200, 200],
    ),
    (
        "acquirer",
        [200, 200, 200, 200, 200, 202, 200, 200, 200, 200, 200],
    ),
    (
        "registry",
        [200, 200, 200, 200, 200, 201, 200, 200, 200, 200, 200],
    ),
    (
        "observatory",
        [200, 200, 200, 200, 200, 201, 200, 200, 200, 200, 200],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_need_a_service_goes_on_without_it() {
    let city = City::raise(&[], &[]).await;
    let token = city.member("mina@example.com").await;
    let product = city.products().await.remove(0);
    let (_, first) = city.buy(&token, &product, "first").await;
    let order = first["id"].as_str().unwrap();
    // Whoever asks where the parcel is has been told that there is one.
    let path = format!("/api/shipments/{order}");
    city.until(&token, &path, |parcel| parcel["order_id"] == order)
        .await;
    println!(
        "{:<15} {}",
        "stopped",
        JOURNEYS.map(|journey| format!("{journey:<8}")).join(" ")
    );
    let mut wrong = Vec::new();
    for (stopped, expected) in TABLE {
        // An order needs something in the cart, also while the cart is away.
        let filled = within(Duration::from_secs(10), async || {
            city.put_in_cart(&token, &product, 1).await.status() == StatusCode::OK
        });
        assert!(filled.await.is_some(), "{stopped}\n{}", city.said());
        city.prints(&["hold", stopped]).await;
        let mut row = Vec::new();
        for (journey, expected) in JOURNEYS.into_iter().zip(expected) {
            let (status, body, took) =
                travel(&city, &token, [&product, order], journey, stopped).await;
            row.push(format!("{status:<8}"));
            let clear = status < 500 || body["code"].is_string();
            if status != expected || !clear || took > BUDGET + Duration::from_millis(500) {
                wrong.push(format!(
                    "{journey} without {stopped}: {status} in {took:?}, not {expected}: {body}"
                ));
            }
        }
        println!("{stopped:<15} {}", row.join(" "));
        city.prints(&["release", stopped]).await;
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), city.said());
    // What was accepted while somebody was away is brought to its end.
    let ledger = city.ledger(&["--wait", "30s", "--strangers"]).await;
    city.assert_clean(&ledger);
    city.stop().await;
}

async fn travel(
    city: &City,
    token: &str,
    [product, order]: [&str; 2],
    journey: &str,
    stopped: &str,
) -> (u16, Value, Duration) {
    let started = Instant::now();
    let get = async |path: &str| city.ask(Method::GET, path, token, None).await;
    let answer = match journey {
        "log_in" => {
            let body = json!({"email": "mina@example.com", "password": "correct horse battery"});
            Ok(city.post("/api/sessions", &body).await)
        }
        "profile" => get("/api/users/me").await,
        "browse" => city.get("/api/products").await,
        "search" => city.get("/api/products?query=coffee").await,
        "cart" => {
            let path = format!("/api/cart/items/{product}");
            city.ask(Method::PUT, &path, token, Some(&json!({"quantity": 1})))
                .await
        }
        "order" => {
            city.order(token, &format!("without-{stopped}"), &json!({}))
                .await
        }
        "orders" => get("/api/orders").await,
        "related" => get(&format!("/api/products/{product}/recommendations")).await,
        "parcel" => get(&format!("/api/shipments/{order}")).await,
        "messages" => get("/api/notifications").await,
        _ => city.get("/api/posts").await,
    };
    let answer = answer.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        answer.json().await.unwrap_or_default(),
        started.elapsed(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_hangs_delays_orders_alone() {
    let city = City::raise(&[], &[]).await;
    let product = city.products().await.remove(0);
    let mut buyers = Vec::new();
    for number in 0..8 {
        let token = city.member(&format!("buyer-{number}@example.com")).await;
        assert_eq!(
            city.buy(&token, &product, "well").await.0,
            StatusCode::CREATED
        );
        buyers.push(token);
    }
    let (mut well, mut hung) = (Vec::new(), Vec::new());
    // In turns, so that what else the machine does falls on both; and with as many orders in both,
    // so that only the hanging tells them apart.
    for round in 0..ROUNDS {
        let key = format!("well-{round}");
        let (orders, looks) = tokio::join!(crowd(&city, &buyers, &product, &key), browse(&city));
        well.extend(looks);
        for (token, (_, order, _)) in buyers.iter().zip(&orders) {
            city.outcome(token, order["id"].as_str().unwrap()).await;
        }
        city.bank(&json!({"hang_before": 1.0})).await;
        let key = format!("hung-{round}");
        let (orders, looks) = tokio::join!(crowd(&city, &buyers, &product, &key), browse(&city));
        hung.extend(looks);
        for (status, order, took) in &orders {
            assert_eq!(*status, StatusCode::ACCEPTED, "{order}\n{}", city.said());
            assert!(*took < BUDGET, "{took:?}");
        }
        city.bank(&json!({})).await;
        for (token, (_, order, _)) in buyers.iter().zip(&orders) {
            city.outcome(token, order["id"].as_str().unwrap()).await;
        }
    }
    let (well, hung) = (p99(well), p99(hung));
    let ratio = hung.as_secs_f64() / well.as_secs_f64();
    println!("browsing p99: {well:?}, with a hanging bank {hung:?}: ratio {ratio:.2} (aim 1.2)");
    assert!(
        ratio < RATIO,
        "browsing suffers {ratio:.2} times: {well:?}, then {hung:?}"
    );
    let ledger = city.ledger(&["--wait", "30s", "--strangers"]).await;
    city.assert_clean(&ledger);
    city.stop().await;
}

/// All order at once; what each was answered, and how long it took.
async fn crowd(
    city: &City,
    buyers: &[String],
    product: &str,
    key: &str,
) -> Vec<(StatusCode, Value, Duration)> {
    let buying = buyers.iter().map(async |token| {
        let started = Instant::now();
        let (status, order) = city.buy(token, product, key).await;
        (status, order, started.elapsed())
    });
    futures_util::future::join_all(buying).await
}

/// Looks at the shelves, at the pace of a few people, for as long as an order may wait.
async fn browse(city: &City) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..LOOKS {
        let started = Instant::now();
        let answer = city.get("/api/products?limit=20").await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.bytes().await.unwrap();
        took.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    took
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

//! Payments fails half of the time for ten seconds: how much more it is asked for it, and how soon
//! the shop sells as before. The twin has neither budget nor breaker.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use super::harness::City;

const BUYERS: usize = 16;
const FAULT: Duration = Duration::from_secs(10);
const AFTER: Duration = Duration::from_secs(20);
/// Attempts a call, over the fault and the recovery.
const AMPLIFICATION: f64 = 1.1;
/// Of the pace before the fault: this much is back.
const BACK: f64 = 0.8;

struct Run {
    amplification: f64,
    /// From the end of the fault until a whole second sold as before; none: not within [`AFTER`].
    back: Option<Duration>,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "two minutes: scripts/crash runs it"]
async fn retries_stay_within_their_budget_and_without_it_they_do_not() {
    let kept = run(&[]).await;
    assert!(
        kept.amplification <= AMPLIFICATION,
        "{}",
        kept.amplification
    );
    assert!(kept.back.is_some(), "not back within {AFTER:?}");
    let twin = run(&[
        ("CITYWATCH_ORDERS__RETRY_BUDGET_PERCENT", "100"),
        ("CITYWATCH_ORDERS__BREAKER_FAILURE_PERCENT", "0"),
        ("CITYWATCH_ORDERS__BREAKER_CONSECUTIVE_FAILURES", "0"),
    ])
    .await;
    assert!(twin.amplification > AMPLIFICATION, "{}", twin.amplification);
}

async fn run(variables: &[(&str, &str)]) -> Run {
    let city = City::raise(&["--faults"], variables).await;
    let product = city.products().await.remove(0);
    let mut tokens = Vec::new();
    for number in 0..BUYERS {
        tokens.push(city.member(&format!("buyer-{number}@example.com")).await);
    }
    let sold = Sold::default();
    // As fast as they can, to know how fast that is.
    let capacity = {
        let until = Instant::now() + Duration::from_secs(5);
        let before = sold.count();
        crowd(
            &city,
            &tokens,
            &product,
            until,
            Duration::ZERO,
            &sold,
            "full",
        )
        .await;
        (sold.count() - before) as f64 / 5.0
    };
    let pace = Duration::from_secs_f64(BUYERS as f64 / (0.8 * capacity));
    println!("{capacity:.0} orders/s at most; each of {BUYERS} buyers orders every {pace:?}");
    let start = Instant::now();
    let until = start + Duration::from_secs(5) + FAULT + AFTER;
    let breaking = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let before = asked(&city).await;
        let usual = sold.in_the_last(Duration::from_secs(4)) / 4.0;
        let fault =
            json!({"action": "error", "status": 503, "probability": 0.5, "lease_ms": 10_000});
        assert!(
            city.arm("payments-1", "server", &fault).await,
            "{}",
            city.said()
        );
        tokio::time::sleep(FAULT).await;
        let healed = Instant::now();
        let mut back = None;
        while healed.elapsed() < AFTER {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let whole_second = healed.elapsed() >= Duration::from_secs(1);
            if back.is_none()
                && whole_second
                && sold.in_the_last(Duration::from_secs(1)) >= BACK * usual
            {
                back = Some(healed.elapsed());
            }
        }
        let after = asked(&city).await;
        let amplification = (after.0 - before.0) / (after.1 - before.1);
        println!(
            "{usual:.1} orders/s before; amplification {amplification:.3}; back after {back:?}"
        );
        Run {
            amplification,
            back,
        }
    };
    let (run, ()) = tokio::join!(
        breaking,
        crowd(&city, &tokens, &product, until, pace, &sold, "paced")
    );
    let ledger = city.ledger(&["--wait", "60s", "--strangers"]).await;
    city.assert_clean(&ledger);
    city.stop().await;
    run
}

/// Attempts and calls of orders to payments, by its own count.
async fn asked(city: &City) -> (f64, f64) {
    let of = async |name: &str| city.metric("orders-1", name, "callee=\"payments\"").await;
    (
        of("citywatch_calls_attempts_total").await,
        of("citywatch_calls_total").await,
    )
}

/// When orders were confirmed at once.
#[derive(Default)]
struct Sold(std::sync::Mutex<Vec<Instant>>);

impl Sold {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn in_the_last(&self, time: Duration) -> f64 {
        let sold = self.0.lock().unwrap();
        sold.iter().filter(|at| at.elapsed() <= time).count() as f64
    }
}

async fn crowd(
    city: &City,
    tokens: &[String],
    product: &str,
    until: Instant,
    pace: Duration,
    sold: &Sold,
    name: &str,
) {
    let buying = tokens.iter().enumerate().map(async |(number, token)| {
        let mut due = Instant::now() + pace.mul_f64(number as f64 / tokens.len() as f64);
        for round in 0.. {
            tokio::time::sleep_until(due.into()).await;
            if Instant::now() >= until {
                return;
            }
            // Due times do not wait for slow answers, so that a slow shop has more under way.
            due = (due + pace).max(Instant::now());
            let filled = city.put_in_cart(token, product, 1).await;
            if filled.status() != StatusCode::OK {
                continue;
            }
            let key = format!("{name}-{round}");
            if let Ok(answer) = city.order(token, &key, &json!({})).await
                && answer.status() == StatusCode::CREATED
            {
                let order: serde_json::Value = answer.json().await.unwrap_or_default();
                if order["status"] == "confirmed" {
                    sold.0.lock().unwrap().push(Instant::now());
                }
            }
        }
    });
    futures_util::future::join_all(buying).await;
}

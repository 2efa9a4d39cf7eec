//! Payments fails half of the time while the shop sells at 80 % of what payments can take: how much
//! more it is asked for it, and how soon the shop sells as before. The twin has neither budget nor
//! breaker.
//!
//! What tells the twin apart is how much more it asks. It does recover, and sells more meanwhile:
//! half of the requests fail and cost payments nothing, so to ask again is all it takes. Nor can it
//! be worn out by being asked: a charge that is known by its key is not charged again and writes
//! nothing, and a saga that waits doubles its pause. The figures of both runs are printed.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use super::harness::City;

const BUYERS: usize = 24;
/// Payments holds its write lock for so long with each charge: it takes at most 20 a second, so that
/// what bounds the shop is payments and not whatever else the machine does.
const WRITING_MS: u64 = 50;
/// Attempts a call, over the fault and the recovery.
const AMPLIFICATION: f64 = 1.1;
/// Retries that the budget grants however few calls there are: one a second, and so many that were
/// saved. As long as the breaker stays shut, a hundred calls are few.
const SAVED: f64 = 5.0;
/// Of the pace before the fault: this much is back.
const BACK: f64 = 0.8;

const LOOK: Duration = Duration::from_secs(2);

/// How long each part of a run takes.
#[derive(Clone, Copy)]
struct Times {
    full: Duration,
    before: Duration,
    fault: Duration,
    /// In which the shop has to sell as before.
    after: Duration,
    /// Whether the whole of that is waited for.
    to_the_end: bool,
}

const LONG: Times = Times {
    full: Duration::from_secs(5),
    before: Duration::from_secs(5),
    fault: Duration::from_secs(10),
    after: Duration::from_secs(20),
    to_the_end: true,
};
const SHORT: Times = Times {
    full: Duration::from_secs(3),
    before: Duration::from_secs(4),
    fault: Duration::from_secs(5),
    after: Duration::from_secs(20),
    to_the_end: false,
};

struct Run {
    /// Orders confirmed a second, at most.
    capacity: f64,
    /// Of orders to payments, over the fault and the recovery.
    attempts: f64,
    calls: f64,
    /// How long fault and recovery took.
    took: Duration,
    /// From the end of the fault to the end of the first [`LOOK`] that sold as before; none: not in
    /// time.
    back: Option<Duration>,
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_stay_within_their_budget() {
    kept_and_twin(SHORT).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "two minutes: scripts/crash runs it"]
async fn retries_stay_within_their_budget_for_long() {
    kept_and_twin(LONG).await;
}

async fn kept_and_twin(times: Times) {
    let kept = run(times, &[], None).await;
    let share = (AMPLIFICATION - 1.0) * kept.calls;
    let granted = share.max(SAVED + kept.took.as_secs_f64().ceil());
    let retries = kept.attempts - kept.calls;
    assert!(retries <= granted, "{retries} retries, {granted} granted");
    assert!(kept.back.is_some(), "not back within {:?}", times.after);
    let neither = [
        ("CITYWATCH_ORDERS__RETRY_BUDGET_PERCENT", "100"),
        ("CITYWATCH_ORDERS__BREAKER_FAILURE_PERCENT", "0"),
        ("CITYWATCH_ORDERS__BREAKER_CONSECUTIVE_FAILURES", "0"),
    ];
    // Asked for all that it can give, the twin may give nothing: what it can is what the other can.
    let twin = run(times, &neither, Some(kept.capacity)).await;
    let amplification = twin.attempts / twin.calls;
    assert!(amplification > AMPLIFICATION, "twin: {amplification}");
}

async fn run(times: Times, variables: &[(&str, &str)], capacity: Option<f64>) -> Run {
    let city = City::raise(&["--faults"], variables).await;
    let product = city.products().await.remove(0);
    let mut tokens = Vec::new();
    for number in 0..BUYERS {
        tokens.push(city.member(&format!("buyer-{number}@example.com")).await);
    }
    let slow = json!({"action": "latency", "delay_ms": WRITING_MS, "lease_ms": 60_000});
    assert!(
        city.arm("payments-1", "charge.before_commit", &slow).await,
        "{}",
        city.said()
    );
    let crowd = Crowd {
        city: &city,
        tokens: &tokens,
        product: &product,
    };
    let capacity = match capacity {
        Some(known) => known,
        None => {
            // As fast as they can, to know how fast that is.
            let until = Instant::now() + times.full;
            let full = crowd.buy("full", until, Duration::ZERO);
            tokio::join!(sales(&city, times.full), full).0
        }
    };
    assert!(capacity > 0.0, "nothing is sold: {}", city.said());
    let pace = Duration::from_secs_f64(BUYERS as f64 / (0.8 * capacity));
    println!("{capacity:.1} orders/s at most; each of {BUYERS} buyers orders every {pace:?}");
    let until = Instant::now() + times.before + times.fault + times.after;
    let run = tokio::select! {
        run = strain(&city, times, capacity) => run,
        () = crowd.buy("paced", until, pace) => panic!("they went too early"),
    };
    // Those under way were left with it; each order comes to its end all the same.
    let ledger = city.ledger(&["--wait", "60s", "--strangers"]).await;
    city.assert_clean(&ledger);
    city.stop().await;
    run
}

/// Lets half of the requests to payments fail, and looks at what comes of it.
async fn strain(city: &City, times: Times, capacity: f64) -> Run {
    let settled = Duration::from_secs(1);
    tokio::time::sleep(settled).await;
    let usual = sales(city, times.before - settled).await;
    let (before, struck) = (asked(city).await, Instant::now());
    let lease_ms = u64::try_from(times.fault.as_millis()).unwrap();
    let fault = json!({"action": "error", "status": 503, "probability": 0.5, "lease_ms": lease_ms});
    assert!(
        city.arm("payments-1", "server", &fault).await,
        "{}",
        city.said()
    );
    let during = sales(city, times.fault).await;
    let healed = Instant::now();
    let mut back = None;
    // It ends before the buyers do.
    while healed.elapsed() + LOOK < times.after && (times.to_the_end || back.is_none()) {
        let pace = sales(city, LOOK).await;
        if back.is_none() && pace >= BACK * usual {
            back = Some(healed.elapsed());
        }
    }
    let after = asked(city).await;
    let (attempts, calls) = (after.0 - before.0, after.1 - before.1);
    println!(
        "{usual:.1} orders/s before, {during:.1} during the fault; back after {back:?}; {attempts} \
         attempts of {calls} calls: {:.3}",
        attempts / calls
    );
    Run {
        capacity,
        attempts,
        calls,
        took: struck.elapsed(),
        back,
    }
}

/// Attempts and calls of orders to payments, by its own count.
async fn asked(city: &City) -> (f64, f64) {
    let of = async |name: &str| city.metric("orders-1", name, "callee=\"payments\"").await;
    (
        of("citywatch_calls_attempts_total").await,
        of("citywatch_calls_total").await,
    )
}

/// Orders confirmed a second, over so much time from now on.
async fn sales(city: &City, time: Duration) -> f64 {
    let sold = async || {
        let ended = "citywatch_orders_ended_total";
        city.metric("orders-1", ended, "confirmed").await
    };
    let (before, since) = (sold().await, Instant::now());
    tokio::time::sleep(time).await;
    (sold().await - before) / since.elapsed().as_secs_f64()
}

struct Crowd<'a> {
    city: &'a City,
    tokens: &'a [String],
    product: &'a str,
}

impl Crowd<'_> {
    /// Each buys until then, once in so much time.
    async fn buy(&self, name: &str, until: Instant, pace: Duration) {
        let buying = self.tokens.iter().enumerate().map(async |(number, token)| {
            let share = number as f64 / self.tokens.len() as f64;
            let mut due = Instant::now() + pace.mul_f64(share);
            for round in 0.. {
                tokio::time::sleep_until(due.into()).await;
                if Instant::now() >= until {
                    return;
                }
                // Due times do not wait for slow answers: a slow shop has more under way.
                due = (due + pace).max(Instant::now());
                self.buy_once(token, &format!("{name}-{round}")).await;
            }
        });
        futures_util::future::join_all(buying).await;
    }

    async fn buy_once(&self, token: &str, key: &str) {
        let filled = self.city.put_in_cart(token, self.product, 1).await;
        if filled.status() != StatusCode::OK {
            return;
        }
        // Whatever it is answered: the order goes on by itself.
        let _ = self.city.order(token, key, &json!({})).await;
    }
}

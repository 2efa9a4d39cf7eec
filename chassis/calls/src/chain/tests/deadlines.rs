use super::*;
use faults::{Action, Fault};
use tokio::task::yield_now;
use tokio::time::advance;

use crate::deadline::{self, Deadline};

fn after(millis: u64) -> Deadline {
    Deadline::after(deadline::now(), Duration::from_millis(millis))
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_hangs_costs_the_edge_s_deadline_and_no_more() {
    let bench = Bench::new(&EDGE, 1, UNLIMITED);
    bench.does(&[], Hang);
    let start = Instant::now();
    assert_eq!(bench.outcome().await, Err((CallErrorKind::Timeout, true)));
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    let sent = bench.sent();
    assert_eq!(sent.len(), 1, "nothing is left for another attempt");
    assert_eq!(sent[0].told(), 1000);
    let spans = bench.spans().await;
    assert_eq!(spans[0].text("error.type"), Some("timeout"));
    assert_eq!(spans[0].name, "GET /stock/{id}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_request_s_time_is_all_that_its_calls_get() {
    let bench = Bench::new(&EDGE, 1, UNLIMITED);
    bench.does(&[], Hang);
    deadline::within(after(120), async {
        sleep(Duration::from_millis(20)).await;
        let start = Instant::now();
        assert_eq!(bench.outcome().await, Err((CallErrorKind::Timeout, true)));
        assert_eq!(start.elapsed(), Duration::from_millis(100));
    })
    .await;
    assert_eq!(bench.sent()[0].told(), 100);
    // More time than the edge has is not given.
    let long = deadline::within(after(60_000), bench.outcome());
    assert_eq!(long.await, Err((CallErrorKind::Timeout, true)));
    assert_eq!(bench.sent()[0].told(), 1000);
    // Work that must not be given up with its request has the edge's time.
    let kept_on = deadline::within(after(5), async {
        deadline::unbounded(bench.outcome()).await
    });
    assert_eq!(kept_on.await, Err((CallErrorKind::Timeout, true)));
    assert_eq!(bench.sent()[0].told(), 1000);
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_told_what_the_ones_before_have_left() {
    let bench = Bench::new(&EDGE, 1, UNLIMITED);
    bench.does(&[Late(200, 503), Late(300, 500)], Answer(200));
    assert_eq!(bench.outcome().await, Ok(200));
    let sent = bench.sent();
    assert_eq!(sent.len(), 3);
    for (earlier, later) in sent.iter().zip(&sent[1..]) {
        let between = later.at - earlier.at;
        let told = earlier.told() - later.told();
        let between = u64::try_from(between.as_millis()).unwrap();
        // In whole milliseconds of what is left.
        assert!((between..=between + 1).contains(&told), "{told}, {between}");
    }
    assert!(sent[2].told() <= 500);
}

#[tokio::test(start_paused = true)]
async fn when_nothing_is_left_nothing_is_sent() {
    let bench = Bench::new(&EDGE, 1, UNLIMITED);
    let outcome = deadline::within(after(0), bench.outcome()).await;
    assert_eq!(outcome, Err((CallErrorKind::Deadline, false)));
    assert!(bench.sent().is_empty());
    assert_eq!(bench.errors("deadline").await, 1);
    assert!((bench.refused("deadline") - 1.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_the_deadline_would_not_last_for_is_not_waited_for() {
    let bench = Bench::new(&EDGE, 1, UNLIMITED);
    bench.does(&[], Late(990, 503));
    let mut answered = 0;
    for _ in 0..20 {
        let start = Instant::now();
        answered += u32::from(bench.outcome().await == Ok(503));
        assert!(start.elapsed() <= Duration::from_secs(1));
    }
    // A backoff that is drawn short enough still leads to a retry.
    assert!((5..20).contains(&answered), "{answered}");
    let retries = bench.sent().len() - 20;
    assert_eq!(retries, 20 - answered as usize);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_is_a_span_that_was_cancelled() {
    let bench = Bench::new(&EDGE, 1, UNLIMITED);
    bench.does(&[], Hang);
    let given_up = tokio::time::timeout(Duration::from_millis(5), bench.outcome());
    given_up.await.unwrap_err();
    assert_eq!(bench.errors("cancelled").await, 1);
    assert_eq!(bench.errors("timeout").await, 0);
}

/// Both timers of it, the fault's and the deadline's, are over when it looks again.
#[tokio::test(start_paused = true)]
async fn who_wakes_after_the_deadline_does_not_send() {
    let bench = Bench::new(&EDGE, 1, UNLIMITED);
    let latency = Action::Latency {
        delay: Duration::from_millis(500),
        jitter: Duration::ZERO,
    };
    let fault = Fault::new(latency, Duration::from_secs(60));
    bench.faults.arm("call.inventory", fault).unwrap();
    let stopped = async {
        yield_now().await;
        advance(Duration::from_secs(2)).await;
    };
    let (outcome, ()) = tokio::join!(bench.outcome(), stopped);
    assert_eq!(outcome, Err((CallErrorKind::Timeout, true)));
    assert!(bench.sent().is_empty());
}

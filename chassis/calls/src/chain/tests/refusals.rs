use super::*;

/// Breakers by default, and no retry that would blur how many attempts were made.
const NO_RETRIES: Policy = Policy {
    retry_budget_percent: 0,
    breaker: Rules {
        failure_percent: 50,
        consecutive_failures: 5,
    },
};
const OPEN: Result<u16, (CallErrorKind, bool)> = Err((CallErrorKind::CircuitOpen, false));

/// Calls until the breaker refuses.
async fn open(bench: &Bench, does: Does) {
    bench.does(&[], does);
    for _ in 0..5 {
        assert_ne!(bench.outcome().await, OPEN);
    }
    assert_eq!(bench.outcome().await, OPEN);
    assert_eq!(bench.sent().len(), 5, "what is refused is not sent");
}

#[tokio::test(start_paused = true)]
async fn whatever_a_callee_fails_by_opens_its_breaker() {
    for (does, lasts) in [
        (Answer(500), 0),
        (Answer(503), 0),
        (Fail(CallErrorKind::Refused), 0),
        (Fail(CallErrorKind::Connect), 0),
        (Fail(CallErrorKind::Reset), 0),
        (Hang, 5),
    ] {
        let bench = Bench::new(&EDGE, 1, NO_RETRIES);
        let start = Instant::now();
        open(&bench, does).await;
        assert_eq!(start.elapsed().as_secs(), lasts, "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_the_caller_s_own_fault_does_not() {
    for does in [Answer(200), Answer(404), Answer(409), Answer(429)] {
        let bench = Bench::new(&EDGE, 1, NO_RETRIES);
        bench.does(&[], does);
        for _ in 0..50 {
            assert_ne!(bench.outcome().await, OPEN, "{does:?}");
        }
    }
    // Nor do callers that are in too much of a hurry.
    let bench = Bench::new(&EDGE, 1, NO_RETRIES);
    bench.does(&[], Hang);
    for _ in 0..50 {
        let soon = Duration::from_millis(499);
        let soon = crate::Deadline::after(crate::deadline::now(), soon);
        let outcome = crate::deadline::within(soon, bench.outcome()).await;
        assert_eq!(outcome, Err((CallErrorKind::Timeout, true)));
    }
    assert!((bench.breakers("closed") - 1.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_a_span_and_a_count_and_costs_no_time() {
    let bench = Bench::new(&EDGE, 1, NO_RETRIES);
    let trips = |reason: &str| {
        let labels = format!("{{callee=\"inventory\",reason=\"{reason}\"}}");
        bench.metric(&format!("citywatch_calls_breaker_trips_total{labels}"))
    };
    for reason in ["circuit_open", "retry_budget", "no_instance", "deadline"] {
        assert!(bench.refused(reason).abs() < 1e-9, "born at zero: {reason}");
    }
    for reason in ["failure_ratio", "consecutive_failures", "probe_failed"] {
        assert!(trips(reason).abs() < 1e-9, "born at zero: {reason}");
    }
    open(&bench, Answer(500)).await;
    let start = Instant::now();
    assert_eq!(bench.outcome().await, OPEN);
    assert!(start.elapsed().is_zero());

    let spans = bench.spans().await;
    let last = spans.last().unwrap();
    assert_eq!(last.name, "GET /stock/{id}");
    assert_eq!(last.text("error.type"), Some("circuit_open"));
    assert_eq!(last.text("server.address"), Some("inventory"));
    assert!(last.is_error() && last.number("http.response.status_code").is_none());
    let counts = [bench.refused("circuit_open"), trips("consecutive_failures")];
    assert_eq!(counts, [2.0, 1.0]);
    let states = ["closed", "open", "half_open"].map(|state| bench.breakers(state));
    assert_eq!(states, [0.0, 1.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_is_well_again_is_asked_again() {
    let bench = Bench::new(&EDGE, 1, NO_RETRIES);
    open(&bench, Answer(500)).await;
    bench.does(&[], Answer(200));
    sleep(Duration::from_millis(500)).await;
    assert_eq!(bench.outcome().await, Ok(200));
    let states = ["closed", "open", "half_open"].map(|state| bench.breakers(state));
    assert_eq!(states, [0.0, 0.0, 1.0]);
    for _ in 0..2 {
        assert_eq!(bench.outcome().await, Ok(200));
    }
    assert!((bench.breakers("closed") - 1.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn probes_that_are_given_up_do_not_keep_the_breaker_from_closing() {
    let bench = Bench::new(&EDGE, 1, NO_RETRIES);
    open(&bench, Answer(500)).await;
    sleep(Duration::from_millis(500)).await;
    bench.does(&[], Hang);
    for _ in 0..10 {
        let given_up = tokio::time::timeout(Duration::from_millis(1), bench.outcome());
        given_up.await.unwrap_err();
    }
    bench.does(&[], Answer(200));
    for _ in 0..3 {
        assert_eq!(bench.outcome().await, Ok(200));
    }
    assert!((bench.breakers("closed") - 1.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_sick_instance_leaves_the_calls_to_the_others() {
    let bench = Bench::new(&EDGE, 3, NO_RETRIES);
    bench.does(&[], Answer(200));
    bench.script.0.lock().unwrap().sick = Some(([127, 0, 0, 1], 2).into());
    let mut failed = 0;
    for _ in 0..100 {
        failed += u32::from(bench.outcome().await == Ok(500));
    }
    assert_eq!(failed, 5, "after five failures it was not asked again");
    let states = ["closed", "open"].map(|state| bench.breakers(state));
    assert_eq!(states, [2.0, 1.0]);
    assert!(bench.refused("circuit_open").abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_nobody_runs_is_refused_at_once() {
    let bench = Bench::new(&EDGE, 0, UNLIMITED);
    assert_eq!(
        bench.outcome().await,
        Err((CallErrorKind::NoInstance, false))
    );
    assert_eq!(bench.errors("no_instance").await, 1);
    assert!((bench.refused("no_instance") - 1.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn edges_to_one_callee_share_its_breakers_and_others_do_not() {
    static OTHER: Edge = Edge {
        callee: "cart",
        ..EDGE
    };
    let bench = Bench::new(&EDGE, 1, NO_RETRIES);
    open(&bench, Answer(500)).await;
    let same = bench.calls.to(&ONCE).get("/", "/").send().await;
    assert_eq!(same.unwrap_err().kind, CallErrorKind::CircuitOpen);
    let other = bench.calls.to(&OTHER).get("/", "/").send().await;
    assert_eq!(other.unwrap_err().kind, CallErrorKind::NoInstance);
}

/// Half of the answers are failures for ten seconds, under a call a hundredth of a second.
#[tokio::test(start_paused = true)]
async fn once_a_callee_is_well_it_gets_every_call_within_seconds() {
    let bench = Bench::new(&EDGE, 1, Policy::default());
    let mut random = 11;
    let mut half = || match crate::random::split_mix(&mut random) % 2 {
        0 => Answer(200),
        _ => Answer(500),
    };
    let mut calls = 0;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        bench.does(&[half(), half(), half()], Answer(200));
        let _ = bench.outcome().await;
        calls += 1;
        sleep(Duration::from_millis(10)).await;
    }
    let sent = bench.sent().len();
    assert!(sent * 10 <= calls * 11, "{sent} attempts of {calls} calls");

    bench.does(&[], Answer(200));
    let well = Instant::now();
    let mut in_a_row = 0;
    while in_a_row < 100 {
        in_a_row = match bench.outcome().await {
            Ok(200) => in_a_row + 1,
            _ => 0,
        };
        sleep(Duration::from_millis(10)).await;
        assert!(
            well.elapsed() < Duration::from_secs(7),
            "it is not asked again"
        );
    }
}

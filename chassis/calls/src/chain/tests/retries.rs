use super::*;

#[tokio::test(start_paused = true)]
async fn an_edge_that_may_be_asked_again_is_until_it_goes_well_or_three_times() {
    let bench = Bench::new(&EDGE, 1, UNLIMITED);
    bench.does(&[Answer(500), Fail(CallErrorKind::Reset)], Answer(201));
    assert_eq!(bench.outcome().await, Ok(201));
    let spans = bench.spans().await;
    let counts: Vec<_> = spans
        .iter()
        .map(|span| span.number("http.request.resend_count"))
        .collect();
    assert_eq!(counts, [None, Some(1), Some(2)]);
    assert_eq!(spans[0].text("error.type"), Some("500"));
    for span in &spans {
        assert_eq!(span.name, "GET /stock/{id}");
        assert_eq!(span.text("server.address"), Some("inventory"));
        assert_eq!(span.number("server.port"), Some(1));
    }

    bench.does(&[], Answer(503));
    bench.sent();
    assert_eq!(bench.outcome().await, Ok(503), "the last answer is given");
    assert_eq!(bench.sent().len(), 3);
    let retries = |outcome: &str| {
        let labels = format!("{{callee=\"inventory\",outcome=\"{outcome}\"}}");
        bench.metric(&format!("citywatch_calls_retries_total{labels}"))
    };
    assert_eq!((retries("success"), retries("failure")), (1.0, 3.0));
    let labels = "{callee=\"inventory\"}";
    let calls = bench.metric(&format!("citywatch_calls_total{labels}"));
    let attempts = bench.metric(&format!("citywatch_calls_attempts_total{labels}"));
    assert_eq!((calls, attempts), (2.0, 6.0));
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_may_not_is_asked_once() {
    let bench = Bench::new(&ONCE, 1, UNLIMITED);
    for (does, outcome) in [
        (Answer(503), Ok(503)),
        (
            Fail(CallErrorKind::Refused),
            Err((CallErrorKind::Refused, false)),
        ),
        (
            Fail(CallErrorKind::Reset),
            Err((CallErrorKind::Reset, true)),
        ),
    ] {
        bench.does(&[], does);
        assert_eq!(bench.outcome().await, outcome);
        assert_eq!(bench.sent().len(), 1, "{does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_instance_is_tried_twice_before_all_were() {
    let bench = Bench::new(&EDGE, 3, UNLIMITED);
    bench.does(&[], Fail(CallErrorKind::Refused));
    for _ in 0..20 {
        let start = Instant::now();
        assert_eq!(bench.outcome().await, Err((CallErrorKind::Refused, false)));
        let mut tried: Vec<_> = bench.sent().iter().map(|sent| sent.to.port()).collect();
        tried.sort_unstable();
        assert_eq!(tried, [1, 2, 3]);
        assert!(start.elapsed().is_zero(), "the next one need not be spared");
    }
    // Of one there is no other: it is asked again, after a pause.
    let bench = Bench::new(&EDGE, 1, UNLIMITED);
    bench.does(&[Fail(CallErrorKind::Refused)], Answer(200));
    let start = Instant::now();
    assert_eq!(bench.outcome().await, Ok(200));
    assert!(!start.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn who_refuses_is_passed_over_by_the_calls_that_follow() {
    let bench = Bench::new(&EDGE, 2, UNLIMITED);
    bench.does(&[Fail(CallErrorKind::Refused)], Answer(200));
    assert_eq!(bench.outcome().await, Ok(200));
    let refused = bench.sent()[0].to;
    for _ in 0..50 {
        assert_eq!(bench.outcome().await, Ok(200));
    }
    assert!(bench.sent().iter().all(|sent| sent.to != refused));
}

#[tokio::test(start_paused = true)]
async fn a_callee_that_wants_to_be_left_alone_is() {
    let bench = Bench::new(&EDGE, 1, UNLIMITED);
    bench.does(&[Pause(1)], Answer(200));
    assert_eq!(
        bench.outcome().await,
        Ok(503),
        "for longer than there is time"
    );
    assert_eq!(bench.sent().len(), 1);

    static PATIENT: Edge = Edge {
        deadline: Duration::from_secs(5),
        ..EDGE
    };
    let bench = Bench::new(&PATIENT, 1, UNLIMITED);
    bench.does(&[Pause(1)], Answer(200));
    let start = Instant::now();
    assert_eq!(bench.outcome().await, Ok(200));
    assert!(start.elapsed() >= Duration::from_secs(1));
}

/// A call a hundredth of a second, all of them failing.
async fn storm(bench: &Bench, calls: u32) -> usize {
    for _ in 0..calls {
        assert_eq!(bench.outcome().await, Ok(503));
        sleep(Duration::from_millis(10)).await;
    }
    bench.sent().len()
}

#[tokio::test(start_paused = true)]
async fn the_budget_bounds_what_a_failing_callee_gets_and_without_it_nothing_does() {
    let bench = Bench::new(&EDGE, 2, UNLIMITED);
    bench.does(&[], Answer(503));
    let set = |percent| bench.policy.lock().unwrap().retry_budget_percent = percent;

    // While they wait, a hundred calls a second become fewer: 1000 take ten seconds or more.
    set(8);
    let sent = storm(&bench, 1000).await;
    assert!(
        (1050..=1100).contains(&sent),
        "{sent} attempts of 1000 calls"
    );
    // Each call wanted a retry: those that got none say so, and were not sent.
    let refused = bench.errors("retry_budget").await;
    assert!(refused >= 900, "{refused}");
    assert!(
        (bench.refused("retry_budget") - f64::from(u32::try_from(refused).unwrap())).abs() < 1e-9
    );
    let tokens = bench.metric("citywatch_calls_retry_budget_tokens{callee=\"inventory\"}");
    assert!((0.0..2.0).contains(&tokens), "{tokens}");

    set(0);
    assert_eq!(storm(&bench, 100).await, 100);
    assert_eq!(
        bench.errors("retry_budget").await,
        refused,
        "none was wanted"
    );

    set(100);
    assert_eq!(storm(&bench, 100).await, 300);
}

/// Whether the callee may have acted is a question of all attempts, not of the last.
#[tokio::test(start_paused = true)]
async fn a_call_may_have_happened_unless_it_certainly_has_not() {
    use CallErrorKind as K;
    let refused = Fail(K::Refused);
    for (script, outcome) in [
        ([refused, refused, refused], (K::Refused, false)),
        ([Fail(K::Connect), refused, refused], (K::Refused, false)),
        ([Fail(K::Reset), refused, refused], (K::Refused, true)),
        (
            [refused, Fail(K::Reset), Fail(K::Connect)],
            (K::Connect, true),
        ),
        ([Answer(503), refused, refused], (K::Refused, true)),
        ([Answer(429), refused, refused], (K::Refused, true)),
        ([refused, refused, Hang], (K::Timeout, true)),
        ([Fail(K::Answer), refused, refused], (K::Answer, true)),
    ] {
        let bench = Bench::new(&EDGE, 1, UNLIMITED);
        bench.does(&script, Answer(200));
        assert_eq!(bench.outcome().await, Err(outcome), "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_says_what_ended_the_call_and_remembers_what_went_before() {
    let policy = Policy {
        retry_budget_percent: 1,
        ..UNLIMITED
    };
    let bench = Bench::new(&EDGE, 1, policy);
    for (fails, happened) in [
        (CallErrorKind::Reset, true),
        (CallErrorKind::Refused, false),
    ] {
        bench.does(&[], Fail(fails));
        let mut outcomes = Vec::new();
        for _ in 0..10 {
            outcomes.push(bench.outcome().await);
        }
        let last = outcomes.last().unwrap();
        assert_eq!(*last, Err((CallErrorKind::RetryBudget, happened)));
    }
    let error = bench.call().send().await.unwrap_err();
    assert_eq!(error.to_string(), "inventory (reserve): retry_budget");
    assert_eq!(error.error_type(), "retry_budget");
}

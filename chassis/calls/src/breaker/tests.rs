use super::*;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// Nothing but a row of five failures opens it.
const IN_A_ROW: Rules = Rules {
    failure_percent: 0,
    consecutive_failures: 5,
};
/// Nothing but half of the calls opens it.
const RATIO: Rules = Rules {
    failure_percent: 50,
    consecutive_failures: 0,
};

/// A breaker under a clock that a test moves.
struct Bench {
    breaker: Breaker,
    rules: Rules,
    now: Instant,
}

impl Bench {
    fn new(rules: Rules) -> Self {
        let now = Instant::now();
        Self {
            breaker: Breaker::new(now, 7),
            rules,
            now,
        }
    }

    fn admit(&mut self) -> Option<Pass> {
        self.breaker.admit(self.now)
    }

    fn record(&mut self, pass: Pass, verdict: Verdict) -> Option<Trip> {
        self.breaker.record(pass, verdict, &self.rules, self.now)
    }

    /// A call from beginning to end.
    fn call(&mut self, verdict: Verdict) -> Option<Trip> {
        let pass = self.admit().expect("the breaker lets a call through");
        self.record(pass, verdict)
    }

    fn trip(&mut self) {
        while self.call(Verdict::Failure).is_none() {}
        assert_eq!(self.breaker.state(), BreakerState::Open);
    }

    /// Waits until the first call is let through, and tells how long that took.
    fn wait_until_admitted(&mut self) -> (Duration, Pass) {
        let opened = self.now;
        loop {
            self.now += MILLI;
            if let Some(pass) = self.admit() {
                return (self.now - opened, pass);
            }
            assert!(self.now - opened < 60 * SECOND, "it stays open for ever");
        }
    }
}

#[test]
fn failures_in_a_row_open_it_and_one_success_starts_the_row_anew() {
    let mut bench = Bench::new(IN_A_ROW);
    for _ in 0..100 {
        for _ in 0..4 {
            assert_eq!(bench.call(Verdict::Failure), None);
        }
        assert_eq!(bench.call(Verdict::Success), None);
    }
    for _ in 0..4 {
        assert_eq!(bench.call(Verdict::Failure), None);
        assert_eq!(bench.call(Verdict::Unknown), None, "that is no success");
    }
    assert_eq!(
        bench.call(Verdict::Failure),
        Some(Trip::ConsecutiveFailures)
    );
    assert!(bench.admit().is_none());
    assert_eq!(
        bench.breaker.last_trip(),
        Some((Trip::ConsecutiveFailures, bench.now))
    );
}

#[test]
fn half_of_enough_calls_open_it() {
    let mut bench = Bench::new(RATIO);
    for n in 0..9 {
        assert_eq!(bench.call(Verdict::Failure), None, "failure {n}");
        assert_eq!(bench.call(Verdict::Success), None);
    }
    // Nine of eighteen; the twentieth call is the first to be enough of them.
    assert_eq!(bench.call(Verdict::Failure), None);
    assert_eq!(bench.call(Verdict::Failure), Some(Trip::FailureRatio));
}

#[test]
fn less_than_half_do_not_however_many_they_are() {
    let mut bench = Bench::new(RATIO);
    for n in 0..10_000 {
        // Spread evenly, after a hundred successes.
        let verdict = if n >= 100 && n * 49 % 100 < 49 {
            Verdict::Failure
        } else {
            Verdict::Success
        };
        assert_eq!(bench.call(verdict), None, "call {n}");
        bench.now += 10 * MILLI;
    }
}

#[test]
fn only_the_last_ten_seconds_count_bucket_by_bucket() {
    for (later, opens) in [(9_999, true), (10_000, false), (500_000, false)] {
        let mut bench = Bench::new(RATIO);
        for _ in 0..19 {
            assert_eq!(bench.call(Verdict::Failure), None);
        }
        bench.now += later * MILLI;
        let trip = bench.call(Verdict::Failure);
        assert_eq!(trip.is_some(), opens, "{later} ms later");
    }
}

#[test]
fn rules_of_zero_never_open_it() {
    let mut bench = Bench::new(Rules {
        failure_percent: 0,
        consecutive_failures: 0,
    });
    for _ in 0..10_000 {
        assert_eq!(bench.call(Verdict::Failure), None);
    }
}

#[test]
fn half_open_it_lets_three_probes_through_and_closes_when_all_succeed() {
    let mut bench = Bench::new(IN_A_ROW);
    bench.trip();
    let (_, first) = bench.wait_until_admitted();
    assert_eq!(bench.breaker.state(), BreakerState::HalfOpen);
    let second = bench.admit().unwrap();
    let third = bench.admit().unwrap();
    assert!(bench.admit().is_none(), "no more at once");
    assert_eq!(bench.record(first, Verdict::Success), None);
    assert!(bench.admit().is_none(), "nor in all");
    assert_eq!(bench.record(second, Verdict::Success), None);
    assert_eq!(bench.breaker.state(), BreakerState::HalfOpen);
    assert_eq!(bench.record(third, Verdict::Success), None);
    assert_eq!(bench.breaker.state(), BreakerState::Closed);
    for _ in 0..4 {
        assert_eq!(bench.call(Verdict::Failure), None, "its row starts anew");
    }
}

#[test]
fn a_probe_that_was_given_up_leaves_its_place_to_another() {
    let mut bench = Bench::new(IN_A_ROW);
    bench.trip();
    let (_, mut probe) = bench.wait_until_admitted();
    for _ in 0..10 {
        assert_eq!(bench.record(probe, Verdict::Unknown), None);
        assert_eq!(bench.breaker.state(), BreakerState::HalfOpen);
        probe = bench.admit().unwrap();
    }
}

#[test]
fn each_failed_probe_doubles_the_open_time_up_to_five_seconds() {
    let mut bench = Bench::new(IN_A_ROW);
    bench.trip();
    for most in [500, 1000, 2000, 4000, 5000, 5000, 5000] {
        let (open_for, probe) = bench.wait_until_admitted();
        assert!(open_for <= most * MILLI + MILLI, "{open_for:?} of {most}");
        assert!(open_for >= most * MILLI / 2, "{open_for:?} of {most}");
        assert_eq!(
            bench.record(probe, Verdict::Failure),
            Some(Trip::ProbeFailed)
        );
        assert_eq!(
            bench.breaker.last_trip(),
            Some((Trip::ProbeFailed, bench.now))
        );
    }
    // Once closed it has forgotten how often it was opened.
    let (_, probe) = bench.wait_until_admitted();
    bench.record(probe, Verdict::Success);
    for _ in 0..2 {
        bench.call(Verdict::Success);
    }
    assert_eq!(bench.breaker.state(), BreakerState::Closed);
    bench.trip();
    assert!(bench.wait_until_admitted().0 <= 501 * MILLI);
}

#[test]
fn what_was_let_through_before_a_change_says_nothing_after_it() {
    let mut bench = Bench::new(IN_A_ROW);
    let old: Vec<_> = (0..6).map(|_| bench.admit().unwrap()).collect();
    let mut old = old.into_iter();
    bench.trip();
    assert_eq!(bench.record(old.next().unwrap(), Verdict::Success), None);
    assert_eq!(bench.breaker.state(), BreakerState::Open);

    let (_, probe) = bench.wait_until_admitted();
    for late in old {
        assert_eq!(bench.record(late, Verdict::Failure), None);
    }
    assert_eq!(bench.breaker.state(), BreakerState::HalfOpen);
    bench.record(probe, Verdict::Success);
    assert!(bench.admit().is_some() && bench.admit().is_some());
    assert!(bench.admit().is_none(), "late answers were no probes");
}

#[test]
fn breakers_that_open_together_do_not_probe_together() {
    let now = Instant::now();
    let open_for = |seed| {
        let mut bench = Bench::new(IN_A_ROW);
        bench.breaker = Breaker::new(now, seed);
        bench.trip();
        bench.wait_until_admitted().0
    };
    assert_eq!(open_for(1), open_for(1), "a seed is a course");
    let mut times: Vec<_> = (0..20).map(open_for).collect();
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 15, "{times:?}");
}

/// Against a window that remembers each call.
#[test]
fn the_window_counts_what_a_list_of_all_calls_would() {
    let start = Instant::now();
    let mut random = 3;
    let mut draw = |bound: u64| crate::random::split_mix(&mut random) % bound;
    for _ in 0..50 {
        let mut window = Window::new(start);
        let mut list: Vec<(u64, bool)> = Vec::new();
        let mut millis = 0;
        for _ in 0..500 {
            // Mostly close together, now and then a long pause.
            millis += if draw(50) == 0 {
                draw(25_000)
            } else {
                draw(400)
            };
            let now = start + Duration::from_millis(millis);
            let failed = draw(3) == 0;
            window.record(failed, now);
            list.push((millis / 1000, failed));
            let recent = list
                .iter()
                .filter(|(second, _)| millis / 1000 - second < 10);
            let totals = window.totals(now);
            assert_eq!(totals.calls as usize, recent.clone().count());
            let failures = recent.filter(|(_, failed)| *failed).count();
            assert_eq!(totals.failures as usize, failures);
        }
    }
}

/// Whatever happens, in any order: nothing goes through an open breaker, half-open no more than
/// three are under way, and once all goes well it closes again.
#[test]
fn no_course_of_events_breaks_its_promises() {
    for seed in 0..200 {
        let mut random = seed;
        let mut draw = |bound: u64| crate::random::split_mix(&mut random) % bound;
        let mut bench = Bench::new(Rules::default());
        let mut under_way: Vec<Pass> = Vec::new();
        let mut opened: Option<Instant> = None;
        for _ in 0..2_000 {
            bench.now += Duration::from_millis(draw(200));
            if draw(2) == 0 {
                let before = bench.breaker.state();
                if let Some(pass) = bench.admit() {
                    if before == BreakerState::Open {
                        let open_for = bench.now - opened.unwrap();
                        assert!(open_for >= FIRST_OPEN / 2, "open for {open_for:?}");
                        assert_eq!(bench.breaker.state(), BreakerState::HalfOpen);
                    }
                    under_way.push(pass);
                }
            } else if !under_way.is_empty() {
                let index = usize::try_from(draw(under_way.len() as u64)).unwrap();
                let pass = under_way.swap_remove(index);
                let verdict = match draw(5) {
                    0 | 1 => Verdict::Success,
                    2 => Verdict::Unknown,
                    _ => Verdict::Failure,
                };
                if bench.record(pass, verdict).is_some() {
                    opened = Some(bench.now);
                    assert_eq!(bench.breaker.last_trip().unwrap().1, bench.now);
                }
            }
            let era = bench.breaker.era;
            let probes = under_way.iter().filter(|pass| pass.era == era).count();
            match bench.breaker.state() {
                BreakerState::Open => assert_eq!(probes, 0),
                BreakerState::HalfOpen => assert!(probes <= 3),
                BreakerState::Closed => {}
            }
        }
        for pass in under_way {
            let _ = bench.record(pass, Verdict::Unknown);
        }
        bench.now += LONGEST_OPEN;
        for _ in 0..3 {
            bench.call(Verdict::Success);
        }
        assert_eq!(bench.breaker.state(), BreakerState::Closed, "seed {seed}");
    }
}

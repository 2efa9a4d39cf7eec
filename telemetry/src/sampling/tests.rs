use super::entry::Entry;
use super::ratio::Randomness;
use super::*;
use crate::context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState, extract, inject};
use http::HeaderMap;
use std::sync::atomic::Ordering;

const LOW: u128 = 0x10 << 48;
const HIGH: u128 = 0xf0 << 48;

fn ratio(ratio: f64) -> Sampler {
    Sampler::Ratio(Ratio::new(ratio).unwrap())
}

fn parent(trace_id: u128, flags: u8, state: &str) -> SpanContext {
    SpanContext {
        trace_id: TraceId((1 << 100) | trace_id),
        span_id: SpanId(1),
        flags: TraceFlags(flags),
        tracestate: TraceState::parse(state),
    }
}

/// What a service makes of a caller: whether it records, and the state that it sends on.
fn with(sampling: &Sampling, parent: &SpanContext, remote: bool) -> (bool, Option<String>) {
    let beginning = Beginning {
        trace_id: parent.trace_id,
        parent: Some(parent),
        remote,
    };
    let decision = sampling.decide(&beginning, Subject::default);
    let state = decision.tracestate.unwrap_or(parent.tracestate.clone());
    (decision.sampled, state.as_str().map(str::to_owned))
}

fn begin(sampling: &Sampling, trace_id: TraceId, route: &str, method: &str) -> Decision {
    let beginning = Beginning {
        trace_id,
        parent: None,
        remote: true,
    };
    sampling.decide(&beginning, || Subject { route, method })
}

/// Numbers that are the same in each run.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn trace_id(&mut self) -> TraceId {
        TraceId((u128::from(self.next()) << 64) | u128::from(self.next()))
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.next() as usize % choices.len()].clone()
    }
}

#[test]
fn a_trace_that_begins() {
    for (sampler, low, high) in [
        (Sampler::AlwaysOn, Some(None), Some(None)),
        (Sampler::AlwaysOff, None, None),
        (ratio(1.0), Some(Some("ot=th:0")), Some(Some("ot=th:0"))),
        (ratio(0.5), None, Some(Some("ot=th:8"))),
        (ratio(0.01), None, None),
        (ratio(0.0), None, None),
        (Sampler::default(), Some(None), Some(None)),
        (
            Sampler::parent_based(ratio(0.25)),
            None,
            Some(Some("ot=th:c")),
        ),
    ] {
        let sampling = Sampling::new(&sampler);
        for (id, expected) in [(LOW, low), (HIGH, high)] {
            let decision = begin(&sampling, TraceId(id), "", "");
            assert_eq!(decision.sampled, expected.is_some(), "{sampler} {id:x}");
            let state = decision.tracestate.unwrap_or_default();
            assert_eq!(state.as_str(), expected.flatten(), "{sampler} {id:x}");
        }
    }
}

/// What becomes of a caller's threshold and randomness, case by case of the specification.
#[test]
fn a_caller_s_state() {
    let follow = Sampler::default();
    let half = ratio(0.5);
    let limited = ratio(1.0).limited(NonZeroU32::new(1000).unwrap());
    let rv = "rv:f0000000000000";
    for (sampler, id, flags, state, sampled, sent) in [
        // A parent's decision and its threshold are passed on together...
        (&follow, HIGH, 1, "ot=th:8,a=1", true, "ot=th:8,a=1"),
        (&follow, LOW, 0, "ot=th:8", false, "ot=th:8"),
        (&follow, LOW, 1, "a=1", true, "a=1"),
        (
            &follow,
            LOW,
            1,
            &format!("ot={rv};th:8"),
            true,
            &format!("ot={rv};th:8"),
        ),
        // ... unless they contradict each other, or nobody can read it.
        (&follow, LOW, 1, "ot=th:8,a=1", true, "a=1"),
        (&follow, HIGH, 0, "ot=th:8", false, ""),
        (&follow, HIGH, 1, "ot=th:q;x:1", true, "ot=x:1"),
        (
            &follow,
            HIGH,
            1,
            "ot=rv:10000000000000;th:8",
            true,
            "ot=rv:10000000000000",
        ),
        // A ratio decides for itself, and says by what threshold.
        (&half, HIGH, 0, "", true, "ot=th:8"),
        (&half, HIGH, 0, "a=1,ot=th:c;x:1", true, "ot=th:8;x:1,a=1"),
        (&half, HIGH, 1, "a=1,ot=th:8", true, "a=1,ot=th:8"),
        (&half, LOW, 1, "ot=th:0,a=1", false, "a=1"),
        // Explicit randomness comes before the trace id's, and stays as it is.
        (
            &half,
            LOW,
            1,
            &format!("ot={rv}"),
            true,
            &format!("ot=th:8;{rv}"),
        ),
        (
            &half,
            HIGH,
            1,
            "ot=rv:10000000000000",
            false,
            "ot=rv:10000000000000",
        ),
        (&half, HIGH, 1, "ot=rv:1", true, "ot=th:8;rv:1"),
        // All and nothing: a threshold that is there must stay true.
        (&Sampler::AlwaysOn, LOW, 0, "a=1", true, "a=1"),
        (
            &Sampler::AlwaysOn,
            LOW,
            0,
            "ot=th:8,a=1",
            true,
            "ot=th:0,a=1",
        ),
        (&Sampler::AlwaysOn, LOW, 1, "ot=th:0", true, "ot=th:0"),
        (&Sampler::AlwaysOff, HIGH, 1, "ot=th:8;x:1", false, "ot=x:1"),
        (&Sampler::AlwaysOff, HIGH, 1, "a=1", false, "a=1"),
        // A limit does not know its probability.
        (&limited, HIGH, 1, "ot=th:8,a=1", true, "a=1"),
        (&limited, HIGH, 1, "", true, ""),
    ] {
        let sampling = Sampling::new(sampler);
        let caller = parent(id, flags, state);
        let sent = (!sent.is_empty()).then(|| sent.to_owned());
        assert_eq!(
            with(&sampling, &caller, true),
            (sampled, sent),
            "{sampler} {state}"
        );
    }
}

#[test]
fn parents_have_five_branches() {
    let all = ParentBased {
        root: ratio(0.5),
        remote_sampled: Some(Sampler::AlwaysOff),
        remote_not_sampled: Some(Sampler::AlwaysOn),
        local_sampled: Some(ratio(0.25)),
        local_not_sampled: Some(ratio(1.0)),
    };
    let sampling = Sampling::new(&Sampler::ParentBased(Box::new(all)));
    assert!(!sampling.keeps_local());
    assert!(begin(&sampling, TraceId(HIGH), "", "").sampled);
    assert!(!begin(&sampling, TraceId(LOW), "", "").sampled);
    let state = |text: &str| Some(text.to_owned());
    for (remote, id, flags, expected) in [
        (true, HIGH, 1, (false, None)),
        (true, LOW, 0, (true, None)),
        (false, HIGH, 1, (true, state("ot=th:c"))),
        (false, LOW, 1, (false, None)),
        (false, LOW, 0, (true, state("ot=th:0"))),
    ] {
        assert_eq!(with(&sampling, &parent(id, flags, ""), remote), expected);
    }
    let plain = Sampling::new(&Sampler::parent_based(Sampler::AlwaysOff));
    assert!(plain.keeps_local());
    for remote in [true, false] {
        assert!(with(&plain, &parent(LOW, 1, ""), remote).0);
        assert!(!with(&plain, &parent(HIGH, 0, ""), remote).0);
    }
}

#[test]
fn a_caller_may_leave_the_decision_to_us() {
    let sampling = Sampling::new(&Sampler::parent_based(ratio(0.5)));
    let deferred = TraceFlags::DEFERRED.0;
    let high = with(&sampling, &parent(HIGH, deferred, ""), true);
    assert_eq!(high, (true, Some("ot=th:8".to_owned())));
    assert_eq!(
        with(&sampling, &parent(LOW, deferred, ""), true),
        (false, None)
    );
}

/// It is reported once if a ratio relies on trace ids that nobody says are random.
#[test]
fn a_presumption_is_noticed() {
    let sampling = Sampling::new(&ratio(0.5));
    let presumed = || sampling.presumed.load(Ordering::Relaxed);
    begin(&sampling, TraceId(HIGH), "", "");
    with(&sampling, &parent(HIGH, 3, ""), true);
    with(&sampling, &parent(HIGH, 1, "ot=rv:f0000000000000"), true);
    assert!(!presumed());
    with(&sampling, &parent(LOW, 1, ""), true);
    assert!(presumed());
    let follows = Sampling::new(&Sampler::parent_based(ratio(0.5)));
    with(&follows, &parent(HIGH, 1, ""), true);
    assert!(!follows.presumed.load(Ordering::Relaxed));
}

/// Within a process a decision stands, whatever the sampler thinks of callers.
#[test]
fn spans_of_one_process_stay_together() {
    for sampler in [Sampler::AlwaysOff, ratio(0.5), Sampler::default()] {
        let sampling = Sampling::new(&sampler);
        let (on, off) = (parent(LOW, 1, "ot=th:0"), parent(HIGH, 0, ""));
        assert_eq!(
            with(&sampling, &on, false),
            (true, Some("ot=th:0".to_owned()))
        );
        assert_eq!(with(&sampling, &off, false), (false, None));
    }
}

#[test]
fn the_first_rule_that_is_for_a_request_counts() {
    let rule = |route, method, share| Rule {
        route,
        method,
        ratio: Ratio::new(share).unwrap(),
    };
    let is = |route: &str| Route::Is(route.to_owned());
    let below = |route: &str| Route::StartsWith(route.to_owned());
    let sampler = ratio(0.5).unless([
        rule(is("/healthz"), None, 0.0),
        rule(below("/orders"), Some(http::Method::POST), 1.0),
        rule(below("/orders"), None, 0.01),
    ]);
    let sampling = Sampling::new(&Sampler::parent_based(sampler));
    for (route, method, id, state) in [
        ("/healthz", "GET", HIGH, None),
        ("/healthz/deep", "GET", HIGH, Some("ot=th:8")),
        ("/orders/{id}", "POST", LOW, Some("ot=th:0")),
        ("/orders/{id}", "GET", HIGH, None),
        (
            "/orders/{id}",
            "GET",
            u128::from(u64::MAX),
            Some("ot=th:fd70a"),
        ),
        ("/", "GET", HIGH, Some("ot=th:8")),
        ("", "", LOW, None),
    ] {
        let decision = begin(&sampling, TraceId(id), route, method);
        assert_eq!(decision.sampled, state.is_some(), "{method} {route}");
        let written = decision.tracestate.unwrap_or_default();
        assert_eq!(written.as_str(), state, "{method} {route}");
    }
}

#[test]
fn a_limit_holds_and_is_used_up_by_what_is_taken_only() {
    let limit = NonZeroU32::new(5).unwrap();
    let sampling = Sampling::new(&Sampler::parent_based(ratio(0.5).limited(limit)));
    for _ in 0..100 {
        assert!(!begin(&sampling, TraceId(LOW), "", "").sampled);
    }
    let begun = std::time::Instant::now();
    let taken = (0..100).filter(|_| {
        let decision = begin(&sampling, TraceId(HIGH), "", "");
        assert_eq!(decision.tracestate, None, "the probability is not known");
        decision.sampled
    });
    let taken = taken.count() as u64;
    let allowed = 5 + 1 + begun.elapsed().as_millis() as u64 / 200;
    assert!((5..=allowed).contains(&taken), "{taken}");
    // Callers' decisions are no part of it.
    assert!(with(&sampling, &parent(LOW, 1, ""), true).0);
}

#[test]
fn a_sampler_is_replaced_at_once() {
    let sampling = Sampling::new(&Sampler::AlwaysOff);
    for (sampler, sampled) in [
        (ratio(0.5), true),
        (ratio(0.5).unless([]), true),
        (Sampler::AlwaysOff, false),
        (Sampler::default(), true),
        (ratio(0.01), false),
    ] {
        sampling.replace(&sampler);
        assert_eq!(
            begin(&sampling, TraceId(HIGH), "", "").sampled,
            sampled,
            "{sampler}"
        );
    }
}

/// The word for the usual samplers says what the plan would.
#[test]
fn the_short_way_is_the_long_way() {
    let mut seeded = Seeded(1);
    let branches = |remote, local| {
        Sampler::ParentBased(Box::new(ParentBased {
            root: ratio(0.5),
            remote_sampled: remote,
            remote_not_sampled: None,
            local_sampled: None,
            local_not_sampled: local,
        }))
    };
    let samplers = [
        Sampler::AlwaysOn,
        Sampler::AlwaysOff,
        ratio(0.3),
        ratio(1.0),
        Sampler::default(),
        Sampler::parent_based(Sampler::AlwaysOff),
        Sampler::parent_based(ratio(0.3)),
        branches(Some(Sampler::AlwaysOff), None),
        branches(None, Some(Sampler::AlwaysOn)),
    ];
    let states = [
        "",
        "a=1",
        "ot=th:8",
        "ot=th:4;rv:c0000000000000",
        "ot=rv:10000000000000",
    ];
    for sampler in &samplers {
        let sampling = Sampling::new(sampler);
        for _ in 0..2_000 {
            let mut caller = parent(0, 0, seeded.of(&states));
            caller.trace_id = seeded.trace_id();
            caller.flags = TraceFlags(seeded.of(&[0, 1, 2, 3, TraceFlags::DEFERRED.0]));
            let span = Beginning {
                trace_id: caller.trace_id,
                parent: seeded.of(&[None, Some(&caller)]),
                remote: true,
            };
            assert_eq!(
                sampling.decide(&span, Subject::default),
                sampling.by_plan(&span, Subject::default()),
                "{sampler} {span:?}"
            );
        }
    }
}

/// The invariants of the specification, over chains of services with whatever samplers.
#[test]
fn thresholds_stay_true_along_a_trace() {
    let mut seeded = Seeded(2);
    let samplers = [
        Sampler::AlwaysOn,
        Sampler::AlwaysOff,
        ratio(0.1),
        ratio(0.5),
        ratio(1.0),
        Sampler::parent_based(ratio(0.25)),
        Sampler::default(),
        ratio(0.5).limited(NonZeroU32::MAX),
    ];
    let samplings: Vec<_> = samplers.iter().map(Sampling::new).collect();
    for _ in 0..20_000 {
        let mut context = parent(0, 2, seeded.of(&["", "a=1", "ot=rv:9fffffffffffff,a=1"]));
        context.trace_id = seeded.trace_id();
        let rv = Entry::of(&context.tracestate).and_then(Entry::randomness);
        for _ in 0..4 {
            let at = seeded.next() as usize % samplers.len();
            let before = Entry::of(&context.tracestate).and_then(Entry::threshold);
            let (sampled, state) = with(&samplings[at], &context, true);
            context.flags = context.flags.with_sampled(sampled);
            context.tracestate = TraceState::parse(&state.unwrap_or_default());
            let entry = Entry::of(&context.tracestate);
            let threshold = entry.and_then(Entry::threshold);
            let randomness = entry.and_then(Entry::randomness);
            assert_eq!(randomness, rv, "explicit randomness is never changed");
            let effective = rv.unwrap_or(Randomness::of(context.trace_id));
            if let Some(threshold) = threshold {
                assert_eq!(threshold.takes(effective), sampled, "{}", samplers[at]);
            }
            if matches!(samplers[at], Sampler::ParentBased(_)) {
                assert!(threshold.is_none() || threshold == before, "kept or erased");
            }
        }
    }
}

/// What a smaller ratio takes, a larger one takes as well: with a tenth taken below a half, the
/// tenth's traces are whole.
#[test]
fn services_with_different_ratios_keep_whole_traces() {
    let mut seeded = Seeded(3);
    let (first, second) = (Sampling::new(&ratio(0.5)), Sampling::new(&ratio(0.1)));
    let third = Sampling::new(&Sampler::default());
    let (mut halves, mut tenths) = (0, 0);
    for _ in 0..50_000 {
        let trace_id = seeded.trace_id();
        let decision = begin(&first, trace_id, "", "");
        let mut context = parent(0, 0, "");
        context.trace_id = trace_id;
        context.flags = TraceFlags::RANDOM.with_sampled(decision.sampled);
        context.tracestate = decision.tracestate.unwrap_or_default();
        let mut recorded = vec![decision.sampled];
        for sampling in [&second, &third] {
            let mut headers = HeaderMap::new();
            inject(&context, &mut headers);
            context = extract(&headers).unwrap();
            let (sampled, state) = with(sampling, &context, true);
            context.flags = context.flags.with_sampled(sampled);
            context.tracestate = TraceState::parse(&state.unwrap_or_default());
            recorded.push(sampled);
        }
        halves += u32::from(recorded[0]);
        tenths += u32::from(recorded[1]);
        assert!(recorded[0] || !recorded[1], "the tenth is part of the half");
        assert_eq!(recorded[1], recorded[2], "who follows sees the same");
        if recorded[2] {
            assert_eq!(context.tracestate.get("ot"), Some("th:e666"));
        }
    }
    assert!((24_000..26_000).contains(&halves), "{halves}");
    assert!((4_500..5_500).contains(&tenths), "{tenths}");
}

/// Shares are kept within five standard deviations, and what is taken stands for what came.
#[test]
fn shares_are_shares() {
    let count = 100_000.0;
    for share in [0.001, 0.01, 0.1, 1.0 / 3.0, 0.5, 0.9, 1.0] {
        let sampling = Sampling::new(&ratio(share));
        let taken: Vec<_> = (0..count as u32)
            .map(|_| begin(&sampling, TraceId::random(), "", ""))
            .filter(|decision| decision.sampled)
            .collect();
        let (taken_count, expected) = (taken.len() as f64, count * share);
        let deviation = (count * share * (1.0 - share)).sqrt();
        assert!(
            (taken_count - expected).abs() <= 5.0 * deviation + 1.0,
            "{taken_count} at {share}"
        );
        let stands_for: f64 = taken
            .iter()
            .map(|decision| {
                let state = decision.tracestate.as_ref().unwrap();
                let threshold = Entry::of(state).unwrap().threshold().unwrap();
                let space = f64::exp2(56.0);
                space / (space - threshold.bits() as f64)
            })
            .sum();
        assert!(
            (stands_for - count).abs() <= 5.0 * deviation / share + 0.001 * count,
            "{stands_for} at {share}"
        );
    }
}

#[test]
fn samplers_describe_themselves() {
    let healthz = Rule {
        route: Route::Is("/healthz".to_owned()),
        method: Some(http::Method::GET),
        ratio: Ratio::NONE,
    };
    let root = ratio(0.0001).unless([healthz]).limited(NonZeroU32::MIN);
    assert_eq!(
        Sampler::parent_based(root).to_string(),
        "ParentBased{root:RateLimited{1/s,RuleBased{GET /healthz:0,TraceIdRatioBased{0.0001}}},\
         remoteParentSampled:Parent,remoteParentNotSampled:Parent,\
         localParentSampled:Parent,localParentNotSampled:Parent}"
    );
    assert_eq!(Sampler::AlwaysOn.to_string(), "AlwaysOnSampler");
    assert_eq!(Sampler::AlwaysOff.to_string(), "AlwaysOffSampler");
}

use faults::{Action, Fault, Injected, LEASE_MAX, MAX_ARMED, Refused, TTL_MAX};
use http::StatusCode;

use crate::{Bench, ms};

fn hang() -> Fault {
    Fault::new(Action::Hang, ms(1_000))
}

#[tokio::test]
async fn an_unknown_point_is_refused() {
    let bench = Bench::new();
    let _point = bench.point();
    let unknown = Err(Refused::UnknownPoint);
    assert_eq!(bench.faults.arm("stop", hang()), unknown);
    assert_eq!(bench.faults.renew("stop"), unknown);
    assert_eq!(bench.faults.disarm("stop"), Err(Refused::UnknownPoint));
}

#[tokio::test]
async fn a_fault_that_cannot_be_is_refused_and_the_one_before_stays() {
    let bench = Bench::new();
    let point = bench.point();
    let before = Fault::new(Action::Error(Injected::Reset), ms(1_000));
    bench.faults.arm("step", before).unwrap();
    let status = |status| {
        let status = StatusCode::from_u16(status).unwrap();
        Fault::new(Action::Error(Injected::Status(status)), ms(1))
    };
    let latency = |delay, jitter| {
        let (delay, jitter) = (ms(delay), ms(jitter));
        Fault::new(Action::Latency { delay, jitter }, ms(1))
    };
    #[rustfmt::skip]
    let refused = [
        Fault { lease: ms(0), ..hang() },
        Fault { lease: LEASE_MAX + ms(1), ..hang() },
        Fault { ttl: ms(0), ..hang() },
        Fault { ttl: TTL_MAX + ms(1), ..hang() },
        Fault { probability: 0.0, ..hang() },
        Fault { probability: -0.5, ..hang() },
        Fault { probability: 1.01, ..hang() },
        Fault { probability: f64::NAN, ..hang() },
        Fault { count: Some(0), ..hang() },
        status(200), status(399), status(600),
        latency(0, 0), latency(60_001, 0), latency(10, 11),
    ];
    for fault in refused {
        let outcome = bench.faults.arm("step", fault);
        assert!(matches!(outcome, Err(Refused::Invalid(_))), "{fault:?}");
    }
    assert_eq!(point.pass().await, Err(Injected::Reset));
    #[rustfmt::skip]
    let taken = [
        Fault { lease: ms(1), ..hang() },
        Fault { lease: LEASE_MAX, ttl: TTL_MAX, ..hang() },
        Fault { probability: f64::MIN_POSITIVE, count: Some(u64::MAX), ..hang() },
        status(400), status(599), latency(60_000, 60_000), latency(1, 0),
    ];
    for fault in taken {
        let state = bench.faults.arm("step", fault).unwrap();
        assert_eq!(state.armed.unwrap().fault, fault);
    }
}

#[tokio::test]
async fn no_more_than_so_many_are_armed_at_once() {
    let bench = Bench::new();
    let names: Vec<_> = (0..=MAX_ARMED).map(|n| format!("step.{n}")).collect();
    for name in &names {
        bench.faults.point(name.clone(), "one of many");
    }
    for name in &names[1..] {
        bench.faults.arm(name, hang()).unwrap();
    }
    let one_more = &names[0];
    assert_eq!(bench.faults.arm(one_more, hang()), Err(Refused::TooMany));
    // Another in the place of one is not one more.
    bench.faults.arm(&names[1], hang()).unwrap();
    bench.assert_metric(&format!("citywatch_faults_active {MAX_ARMED}"));
    bench.faults.disarm(&names[1]).unwrap();
    bench.faults.arm(one_more, hang()).unwrap();
}

#[tokio::test]
async fn to_disarm_what_is_not_armed_changes_nothing() {
    let bench = Bench::new();
    let point = bench.point();
    bench.faults.disarm("step").unwrap();
    bench.faults.arm("step", hang()).unwrap();
    bench.faults.disarm("step").unwrap();
    bench.faults.disarm("step").unwrap();
    assert_eq!(point.pass().await, Ok(()));
    assert_eq!(bench.hits("step"), 1);
}

use faults::{Action, Fault, Faults, Injected, Refused};
use prometheus::Registry;

use crate::{Bench, ms};

fn refused(lease: u64) -> Fault {
    Fault::new(Action::Error(Injected::Refused), ms(lease))
}

#[tokio::test]
async fn nothing_happens_where_nothing_is_armed() {
    let bench = Bench::new();
    let point = bench.point();
    for _ in 0..3 {
        assert_eq!(point.pass().await, Ok(()));
    }
    assert_eq!(bench.hits("step"), 3);
    // Made, but not awaited.
    drop(point.pass());
    assert_eq!(bench.hits("step"), 3);
}

#[tokio::test]
async fn the_same_name_is_the_same_point() {
    let bench = Bench::new();
    let (one, other) = (bench.point(), bench.faults.point("step", "whatever"));
    bench.faults.arm("step", refused(1_000)).unwrap();
    assert_eq!(one.pass().await, Err(Injected::Refused));
    assert_eq!(other.pass().await, Err(Injected::Refused));
    assert_eq!(one.clone().pass().await, Err(Injected::Refused));
    let points = bench.faults.points();
    assert_eq!(points.len(), 1);
    assert_eq!((points[0].hits, points[0].injected), (3, 3));
    assert_eq!(points[0].about, "between two things");
}

#[tokio::test]
async fn a_fault_strikes_its_own_point_alone() {
    let bench = Bench::new();
    let (point, named) = (bench.point(), format!("call.{}", "payments"));
    let other = bench.faults.point(named, "between trace and transport");
    bench.faults.arm("call.payments", refused(1_000)).unwrap();
    assert_eq!(point.pass().await, Ok(()));
    assert_eq!(other.pass().await, Err(Injected::Refused));
    let names: Vec<_> = bench.faults.points().into_iter().map(|p| p.name).collect();
    assert_eq!(names, ["call.payments", "step"]);
}

#[tokio::test]
async fn two_services_of_a_process_have_their_own_faults() {
    let (one, other) = (Bench::new(), Bench::new());
    let (here, there) = (one.point(), other.point());
    one.faults.arm("step", refused(1_000)).unwrap();
    assert_eq!(here.pass().await, Err(Injected::Refused));
    assert_eq!(there.pass().await, Ok(()));
}

#[tokio::test]
async fn a_process_that_was_not_started_for_faults_has_none() {
    let registry = Registry::new();
    for faults in [Faults::new(false, &registry).unwrap(), Faults::default()] {
        let point = faults.point("step", "between two things");
        assert!(!faults.is_enabled());
        assert_eq!(faults.arm("step", refused(1_000)), Err(Refused::Disabled));
        assert_eq!(faults.arm("none", refused(1_000)), Err(Refused::Disabled));
        assert_eq!(faults.renew("step"), Err(Refused::Disabled));
        assert_eq!(faults.disarm("step"), Err(Refused::Disabled));
        assert_eq!(point.pass().await, Ok(()));
        // Not even counted: that would not be free.
        assert_eq!(faults.points()[0].hits, 0);
    }
}

#[test]
fn a_pass_takes_little_room_in_whatever_awaits_it() {
    let words = 3 * size_of::<usize>();
    let point = Bench::new().point();
    assert_eq!(size_of_val(&point.pass()), words);
    let awaits = async {
        let _ = point.pass().await;
    };
    assert!(size_of_val(&awaits) <= words + 2 * size_of::<usize>());
}

#[tokio::test]
async fn metrics_are_born_at_zero_and_count() {
    let bench = Bench::new();
    bench.assert_metric("citywatch_faults_points 0");
    bench.assert_metric("citywatch_faults_active 0");
    for action in ["kill", "stop", "latency", "error", "hang"] {
        let line = format!("citywatch_faults_injected_total{{action=\"{action}\"}} 0");
        bench.assert_metric(&line);
    }
    let point = bench.point();
    bench.assert_metric("citywatch_faults_points 1");
    bench.faults.arm("step", refused(1_000)).unwrap();
    bench.assert_metric("citywatch_faults_active 1");
    let _ = point.pass().await;
    let _ = point.pass().await;
    bench.assert_metric("citywatch_faults_injected_total{action=\"error\"} 2");
    bench.assert_metric("citywatch_faults_injected_total{action=\"hang\"} 0");
    bench.faults.disarm("step").unwrap();
    bench.assert_metric("citywatch_faults_active 0");
}

#[tokio::test]
async fn work_stands_between_its_two_points() {
    let bench = Bench::new();
    let around = bench.faults.around("reserve", "send", "reserve is sent");
    let points = bench.faults.points();
    let told: Vec<_> = points.iter().map(|p| (&*p.name, &*p.about)).collect();
    assert_eq!(
        told,
        [
            ("reserve.after_send", "After reserve is sent."),
            ("reserve.before_send", "Before reserve is sent."),
        ]
    );
    for (point, done, outcome) in [
        ("reserve.before_send", false, Err(Injected::Refused)),
        ("reserve.after_send", true, Err(Injected::Refused)),
        ("", true, Ok(7)),
    ] {
        if !point.is_empty() {
            bench.faults.arm(point, refused(1_000)).unwrap();
        }
        let mut did = false;
        let work = async {
            did = true;
            Ok(7)
        };
        assert_eq!(around.pass(work).await, outcome, "{point}");
        assert_eq!(did, done, "{point}");
        if !point.is_empty() {
            bench.faults.disarm(point).unwrap();
        }
    }
}

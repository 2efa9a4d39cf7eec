use std::time::Duration;

use faults::{Action, Fault, Injected, Refused};
use tokio::time::{Instant, advance, sleep};

use crate::{Bench, ms};

fn reset(lease: Duration) -> Fault {
    Fault::new(Action::Error(Injected::Reset), lease)
}

#[tokio::test(start_paused = true)]
async fn a_fault_whose_holder_has_vanished_is_gone_by_itself() {
    let bench = Bench::new();
    let point = bench.point();
    let state = bench.faults.arm("step", reset(ms(500))).unwrap();
    assert_eq!(state.armed.unwrap().ends_in, ms(500));
    sleep(ms(499)).await;
    assert_eq!(point.pass().await, Err(Injected::Reset));
    sleep(ms(2)).await;
    assert_eq!(point.pass().await, Ok(()));
    assert_eq!(bench.faults.points()[0].armed, None);
    bench.assert_metric("citywatch_faults_active 0");
    assert_eq!(bench.faults.renew("step"), Err(Refused::NotArmed));
}

/// A process that was stopped wakes up with all its timers late.
#[tokio::test(start_paused = true)]
async fn a_lease_has_ended_though_nobody_has_noticed_yet() {
    let bench = Bench::new();
    let point = bench.point();
    bench.faults.arm("step", reset(ms(500))).unwrap();
    // Time goes on, and no task has run since.
    let passed = {
        advance_unseen(&bench, ms(600)).await;
        point.pass().await
    };
    assert_eq!(passed, Ok(()));
}

async fn advance_unseen(bench: &Bench, by: Duration) {
    let mut advanced = std::pin::pin!(advance(by));
    // The clock is set at once; polled once, the timers have not fired.
    let _ = std::future::poll_fn(|context| {
        let _ = advanced.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
    assert_eq!(bench.faults.points()[0].armed, None);
    assert_eq!(bench.faults.renew("step"), Err(Refused::NotArmed));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_goes_on() {
    let bench = Bench::new();
    let point = bench.point();
    bench.faults.arm("step", reset(ms(500))).unwrap();
    for _ in 0..20 {
        sleep(ms(400)).await;
        let state = bench.faults.renew("step").unwrap();
        assert_eq!(state.armed.unwrap().ends_in, ms(500));
        assert_eq!(point.pass().await, Err(Injected::Reset));
    }
    sleep(ms(501)).await;
    assert_eq!(point.pass().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn no_renewal_outlasts_the_time_to_live() {
    let bench = Bench::new();
    let point = bench.point();
    let fault = Fault {
        ttl: ms(1_200),
        ..reset(ms(500))
    };
    let begun = Instant::now();
    bench.faults.arm("step", fault).unwrap();
    while bench.faults.renew("step").is_ok() {
        sleep(ms(100)).await;
    }
    assert_eq!(begun.elapsed(), ms(1_200));
    assert_eq!(point.pass().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_time_to_live_below_the_lease_is_what_counts() {
    let bench = Bench::new();
    let _point = bench.point();
    let fault = Fault {
        ttl: ms(200),
        ..reset(ms(500))
    };
    let state = bench.faults.arm("step", fault).unwrap();
    assert_eq!(state.armed.unwrap().ends_in, ms(200));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_one_lease_is_not_that_of_its_successor() {
    let bench = Bench::new();
    let point = bench.point();
    bench.faults.arm("step", reset(ms(500))).unwrap();
    sleep(ms(400)).await;
    bench.faults.arm("step", reset(ms(500))).unwrap();
    sleep(ms(200)).await;
    assert_eq!(point.pass().await, Err(Injected::Reset));
    bench.assert_metric("citywatch_faults_active 1");
    sleep(ms(301)).await;
    assert_eq!(point.pass().await, Ok(()));
    bench.assert_metric("citywatch_faults_active 0");
}

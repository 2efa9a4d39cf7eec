use faults::{Action, Fault, Injected};
use http::StatusCode;
use tokio::time::Instant;

use crate::{Bench, ms};

#[tokio::test]
async fn an_error_is_the_one_that_was_asked_for() {
    let bench = Bench::new();
    let point = bench.point();
    for injected in [
        Injected::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Injected::Refused,
        Injected::Reset,
    ] {
        let fault = Fault::new(Action::Error(injected), ms(1_000));
        bench.faults.arm("step", fault).unwrap();
        assert_eq!(point.pass().await, Err(injected));
    }
}

#[tokio::test(start_paused = true)]
async fn latency_takes_its_time_and_then_goes_on() {
    let bench = Bench::new();
    let point = bench.point();
    let (delay, jitter) = (ms(200), ms(50));
    let fault = Fault::new(Action::Latency { delay, jitter }, ms(60_000));
    bench.faults.arm("step", fault).unwrap();
    let mut seen = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        assert_eq!(point.pass().await, Ok(()));
        seen.push(begun.elapsed());
    }
    // The timer is one of milliseconds.
    let (least, most) = (seen.iter().min().unwrap(), seen.iter().max().unwrap());
    assert!(*least >= delay - jitter && *most <= delay + jitter + ms(1));
    // All of a hundred in one half of the range: less likely than 2^-99.
    assert!(*least < delay && *most > delay, "{least:?} to {most:?}");
}

#[tokio::test(start_paused = true)]
async fn latency_ends_with_its_fault() {
    let bench = Bench::new();
    let (point, delay, jitter) = (bench.point(), ms(30_000), ms(0));
    let fault = Fault::new(Action::Latency { delay, jitter }, ms(2_000));
    bench.faults.arm("step", fault).unwrap();
    let begun = Instant::now();
    assert_eq!(point.pass().await, Ok(()));
    assert_eq!(begun.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_reset_when_the_lease_ends() {
    let bench = Bench::new();
    let point = bench.point();
    let fault = Fault::new(Action::Hang, ms(3_000));
    bench.faults.arm("step", fault).unwrap();
    let begun = Instant::now();
    assert_eq!(point.pass().await, Err(Injected::Reset));
    assert_eq!(begun.elapsed().as_secs(), 3);
    assert_eq!(point.pass().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_reset_when_it_is_disarmed_or_replaced() {
    let bench = Bench::new();
    let point = bench.point();
    let hang = Fault::new(Action::Hang, ms(60_000));
    let begun = Instant::now();
    for replaced in [true, false] {
        bench.faults.arm("step", hang).unwrap();
        let hung = tokio::spawn({
            let point = point.clone();
            async move { point.pass().await }
        });
        tokio::time::sleep(ms(10)).await;
        assert!(!hung.is_finished());
        if replaced {
            let other = Fault::new(Action::Error(Injected::Refused), ms(60_000));
            bench.faults.arm("step", other).unwrap();
        } else {
            bench.faults.disarm("step").unwrap();
        }
        assert_eq!(hung.await.unwrap(), Err(Injected::Reset));
        assert_eq!(begun.elapsed().as_secs(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_nobody_waits_for_is_over() {
    let bench = Bench::new();
    let point = bench.point();
    bench
        .faults
        .arm("step", Fault::new(Action::Hang, ms(60_000)))
        .unwrap();
    assert!(tokio::time::timeout(ms(5), point.pass()).await.is_err());
    bench.assert_metric("citywatch_faults_injected_total{action=\"hang\"} 1");
}

#[tokio::test]
async fn a_count_is_kept_by_many_at_once() {
    let bench = Bench::new();
    let point = bench.point();
    let fault = Fault {
        count: Some(5),
        ..Fault::new(Action::Error(Injected::Reset), ms(10_000))
    };
    bench.faults.arm("step", fault).unwrap();
    let passes = (0..50).map(|_| {
        let point = point.clone();
        tokio::spawn(async move { point.pass().await })
    });
    let mut struck = 0;
    for pass in passes.collect::<Vec<_>>() {
        struck += u32::from(pass.await.unwrap().is_err());
    }
    assert_eq!(struck, 5);
    let state = bench.faults.points().remove(0);
    assert_eq!((state.hits, state.injected), (50, 5));
    // Its holder still has to end it, or to be gone.
    let armed = state.armed.unwrap();
    assert_eq!((armed.left, armed.injected), (Some(0), 5));
}

#[tokio::test]
async fn a_probability_strikes_its_share() {
    let bench = Bench::new();
    let point = bench.point();
    let fault = Fault {
        probability: 0.25,
        ..Fault::new(Action::Error(Injected::Reset), ms(60_000))
    };
    bench.faults.arm("step", fault).unwrap();
    let mut struck = 0;
    for _ in 0..4_000 {
        struck += u32::from(point.pass().await.is_err());
    }
    // 1000 on average; six standard deviations of 27.4.
    assert!((836..=1164).contains(&struck), "{struck}");
}

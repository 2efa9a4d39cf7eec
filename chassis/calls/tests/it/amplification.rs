use std::time::Duration;

use calls::{Edge, Policy};

use crate::caller::{AGAIN, Caller, UNLIMITED};
use crate::peer::{Does, Peer};

/// No call of it runs out of time, however busy the machine is.
static PATIENT: Edge = Edge {
    deadline: Duration::from_secs(60),
    ..AGAIN
};

/// A callee that fails half of its requests gets calls, eight at a time. Returns attempts by
/// calls, as the callee counts them, and the share of calls that went well.
async fn amplification(policy: Policy) -> (f64, f64) {
    const CALLERS: u32 = 8;
    const CALLS: u32 = 200;
    let peer = Peer::start(Does::HalfFail).await;
    let caller = Caller::new(&[peer.address], policy);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let client = caller.calls.to(&PATIENT);
        callers.spawn(async move {
            let mut well = 0;
            for _ in 0..CALLS {
                let outcome = client.get("/", "/").send().await;
                well += u32::from(outcome.is_ok_and(|answer| answer.status == 200));
            }
            well
        });
    }
    let well: u32 = callers.join_all().await.into_iter().sum();
    let calls = f64::from(CALLERS * CALLS);
    let attempts = u32::try_from(peer.requests().len()).unwrap();
    (f64::from(attempts) / calls, f64::from(well) / calls)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_failure_is_not_made_a_whole_one() {
    let (with, well) = amplification(Policy::default()).await;
    assert!(with <= 1.1, "{with} attempts a call; {well} went well");

    // The budget alone keeps it within bounds, and the breaker alone is not why.
    let budget_only = Policy {
        retry_budget_percent: Policy::default().retry_budget_percent,
        ..UNLIMITED
    };
    let (with, well) = amplification(budget_only).await;
    assert!((1.0..=1.1).contains(&with), "{with} attempts a call");
    assert!(well > 0.45, "{well} went well");

    let (without, _) = amplification(UNLIMITED).await;
    assert!(
        without > 1.5,
        "{without} attempts a call: the test can fail"
    );
}

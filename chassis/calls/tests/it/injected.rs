use std::time::Duration;

use calls::{CallErrorKind, Policy};
use faults::{Action, Fault, Injected};
use http::StatusCode;

use crate::caller::{AGAIN, Caller, ONCE, UNLIMITED};
use crate::peer::{Does, Peer};

const LEASE: Duration = Duration::from_secs(60);

fn arm(caller: &Caller, fault: Fault) {
    caller.faults.arm("call.inventory", fault).unwrap();
}

#[tokio::test]
async fn an_injected_fault_looks_as_a_real_one_does() {
    let peer = Peer::start(Does::Answer(200)).await;
    for (injected, kind, happened) in [
        (Injected::Refused, CallErrorKind::Refused, false),
        (Injected::Reset, CallErrorKind::Reset, true),
    ] {
        let caller = Caller::new(&[peer.address], UNLIMITED);
        let client = caller.calls.to(&ONCE);
        arm(&caller, Fault::new(Action::Error(injected), LEASE));
        let error = client.get("/", "/").send().await.unwrap_err();
        assert_eq!((error.kind, error.may_have_happened()), (kind, happened));
        let spans = caller.spans().await;
        assert_eq!(spans[0].text("error.type"), Some(error.error_type()));
    }
    let caller = Caller::new(&[peer.address], UNLIMITED);
    let client = caller.calls.to(&ONCE);
    let status = Injected::Status(StatusCode::BAD_GATEWAY);
    arm(&caller, Fault::new(Action::Error(status), LEASE));
    let answer = client.get("/", "/").send().await.unwrap();
    assert_eq!(answer.status, 502);
    let spans = caller.spans().await;
    assert_eq!(spans[0].text("error.type"), Some("502"));

    // Late beyond the deadline, or never there: both are a timeout.
    let late = Action::Latency {
        delay: Duration::from_secs(30),
        jitter: Duration::ZERO,
    };
    for action in [late, Action::Hang] {
        let caller = Caller::new(&[peer.address], UNLIMITED);
        let client = caller.calls.to(&ONCE);
        arm(&caller, Fault::new(action, LEASE));
        let error = client.get("/", "/").send().await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Timeout);
        let spans = caller.spans().await;
        assert_eq!(spans[0].text("error.type"), Some("timeout"));
    }
    assert!(
        peer.requests().is_empty(),
        "what a fault has struck is not sent"
    );
}

#[tokio::test]
async fn retries_and_breakers_meet_it_as_they_meet_a_real_one() {
    let peer = Peer::start(Does::Answer(200)).await;
    let caller = Caller::new(&[peer.address], Policy::default());
    let client = caller.calls.to(&AGAIN);
    let twice = Fault {
        count: Some(2),
        ..Fault::new(Action::Error(Injected::Refused), LEASE)
    };
    arm(&caller, twice);
    let answer = client.get("/", "/").send().await.unwrap();
    assert_eq!(answer.status, 200, "the third attempt");

    arm(&caller, Fault::new(Action::Error(Injected::Reset), LEASE));
    let client = caller.calls.to(&ONCE);
    for _ in 0..5 {
        let error = client.get("/", "/").send().await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Reset);
    }
    let error = client.get("/", "/").send().await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::CircuitOpen);
}

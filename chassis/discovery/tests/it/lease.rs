use std::collections::BTreeMap;

use discovery::{Advertise, Discovery, Endpoint, Registration};

use crate::fake::{Fake, Mood, within};

fn registration() -> Registration {
    Registration {
        service: "catalog".to_owned(),
        endpoint: Endpoint {
            instance_id: "a".to_owned(),
            address: ([127, 0, 0, 1], 9000).into(),
            admin_address: None,
            version: "0.1.0".to_owned(),
        },
        advertise: Advertise::Listener,
        pid: 1,
    }
}

const REGISTER: &str = "POST /v1/instances";
const HEARTBEAT: &str = "PUT /v1/instances/catalog/a";
const DEREGISTER: &str = "DELETE /v1/instances/catalog/a";

#[tokio::test]
async fn a_lease_is_taken_renewed_and_given_back() {
    let mut fake = Fake::start().await;
    let lease = Discovery::registry(fake.client())
        .register(registration())
        .await;
    within(lease.registered()).await;
    assert!(lease.is_registered());
    assert_eq!(fake.request().await, REGISTER);
    for _ in 0..3 {
        assert_eq!(fake.request().await, HEARTBEAT);
    }
    lease.deregister().await;
    // Heartbeats that were on their way come before it, none after.
    let mut last = fake.request().await;
    while last == HEARTBEAT {
        last = fake.request().await;
    }
    assert_eq!(last, DEREGISTER);
}

#[tokio::test]
async fn an_instance_that_was_forgotten_registers_anew() {
    let mut fake = Fake::start().await;
    let _lease = Discovery::registry(fake.client())
        .register(registration())
        .await;
    assert_eq!(fake.request().await, REGISTER);
    assert_eq!(fake.request().await, HEARTBEAT);
    fake.set(Mood::Forgetful);
    while fake.request().await != REGISTER {}
}

#[tokio::test]
async fn a_registry_that_is_away_broken_or_hanging_is_tried_on() {
    let mut fake = Fake::start().await;
    fake.kill().await;
    let lease = Discovery::registry(fake.client())
        .register(registration())
        .await;
    assert!(!lease.is_registered());

    fake.set(Mood::Broken);
    fake.revive().await;
    assert_eq!(fake.request().await, REGISTER);
    fake.set(Mood::Hanging);
    // A request that hangs is given up after two seconds: the next one is answered.
    fake.set(Mood::Fine);
    within(lease.registered()).await;
    while fake.request().await != HEARTBEAT {}

    // One failure does not take the registration away: it goes on as if nothing had been.
    fake.set(Mood::Broken);
    assert_eq!(fake.request().await, HEARTBEAT);
    assert_eq!(fake.request().await, HEARTBEAT);
    fake.set(Mood::Fine);
    assert_eq!(fake.request().await, HEARTBEAT);
    assert_eq!(fake.request().await, HEARTBEAT);
}

#[tokio::test]
async fn a_hanging_registry_holds_up_a_call_for_two_seconds_at_most() {
    let fake = Fake::start().await;
    fake.set(Mood::Hanging);
    let refused = within(fake.client().get("city")).await.unwrap_err();
    assert!(refused.is_unreachable(), "{refused:?}");
}

#[tokio::test]
async fn a_lease_that_is_dropped_is_not_kept_alive() {
    let mut fake = Fake::start().await;
    let lease = Discovery::registry(fake.client())
        .register(registration())
        .await;
    assert_eq!(fake.request().await, REGISTER);
    assert_eq!(fake.request().await, HEARTBEAT);
    drop(lease);
    let mut other = registration();
    other.endpoint.instance_id = "b".to_owned();
    let _other = Discovery::registry(fake.client()).register(other).await;
    let mut of_the_dropped = 0;
    let mut of_the_other = 0;
    while of_the_other < 6 {
        match fake.request().await.as_str() {
            HEARTBEAT => of_the_dropped += 1,
            "PUT /v1/instances/catalog/b" => of_the_other += 1,
            _ => {}
        }
    }
    assert!(
        of_the_dropped <= 1,
        "one may have been on its way, not {of_the_dropped}"
    );
}

#[tokio::test]
async fn without_a_registry_everyone_is_registered() {
    let lease = Discovery::fixed(BTreeMap::new())
        .register(registration())
        .await;
    within(lease.registered()).await;
    lease.deregister().await;
}

use serde_json::{Value, json};
use testing::{Running, eventually};
use tokio::net::TcpStream;

use crate::{
    example::Example,
    gate::{Gate, within},
    problems::problem,
};

/// Returns when the service takes no connections any more.
pub(crate) async fn draining(running: &Running) {
    eventually("the public listener is closed", || async {
        TcpStream::connect(running.address()).await.err()
    })
    .await;
}

#[tokio::test]
async fn requests_in_flight_end_well_while_new_ones_are_refused() {
    let running = testing::start::<Example>(json!({"drain_timeout_ms": 60_000})).await;
    let gate = Gate::new();
    let request = running
        .http
        .get(format!("{}/wait/{}", running.url, gate.name()));
    let answer = tokio::spawn(request.send());
    gate.entered().await;

    running.ask_to_stop();
    draining(&running).await;
    let get = |path: &str| {
        running
            .http
            .get(format!("{}{path}", running.admin_url))
            .send()
    };
    let response = get("/readyz").await.unwrap();
    assert_eq!(response.status(), 503);
    let body: Value = response.json().await.unwrap();
    let check = json!({"name": "draining", "ok": false, "detail": "the service is stopping"});
    assert_eq!(body["checks"][0], check);
    // Whoever watches it sees it to the end.
    assert_eq!(get("/livez").await.unwrap().status(), 200);
    assert_eq!(get("/metrics").await.unwrap().status(), 200);
    assert!(!running.has_ended());

    gate.open();
    let response = within(answer).await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), "done");
    within(running.ended()).await.unwrap();
}

#[tokio::test]
async fn the_drain_waits_no_longer_than_it_was_told() {
    let running = testing::start::<Example>(json!({"drain_timeout_ms": 50})).await;
    let gate = Gate::new();
    let request = running
        .http
        .get(format!("{}/wait/{}", running.url, gate.name()));
    let answer = tokio::spawn(request.send());
    gate.entered().await;
    running.ask_to_stop();
    within(running.ended()).await.unwrap();
    let response = within(answer).await.unwrap().unwrap();
    problem(response, 503, "stopping").await;
    assert_eq!(gate.passed(), None);
}

#[tokio::test]
async fn connections_without_a_request_hold_up_nothing() {
    let running = testing::start::<Example>(json!({"drain_timeout_ms": 60_000})).await;
    let silent = TcpStream::connect(running.address()).await.unwrap();
    let kept_alive = running.http.get(format!("{}/greeting", running.url));
    kept_alive.send().await.unwrap().bytes().await.unwrap();
    running.stop().await;
    drop(silent);
}

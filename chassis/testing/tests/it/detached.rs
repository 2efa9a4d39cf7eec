use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    drain::draining,
    example::Example,
    gate::{Gate, within},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Sends a request and hangs up once its handler is at the gate.
async fn ask_and_hang_up(address: std::net::SocketAddr, gate: &Gate) {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /detached/{} HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\
         traceparent: 00-{TRACE}-b7ad6b7169203331-01\r\n\r\n",
        gate.name()
    );
    client.write_all(request.as_bytes()).await.unwrap();
    gate.entered().await;
    drop(client);
    gate.dropped().await;
}

#[tokio::test]
async fn detached_work_outlives_its_client_in_the_same_trace() {
    let running = testing::start::<Example>(json!({})).await;
    let gate = Gate::new();
    ask_and_hang_up(running.address(), &gate).await;
    assert_eq!(gate.passed(), None);
    gate.open();
    assert_eq!(gate.passing().await, TRACE);
    running.stop().await;
}

#[tokio::test]
async fn detached_work_outlives_its_time_limit() {
    let running = testing::start::<Example>(json!({"request_timeout_ms": 20})).await;
    let gate = Gate::new();
    let url = format!("{}/detached/{}", running.url, gate.name());
    let response = running.http.post(url).send().await.unwrap();
    assert_eq!(response.status(), 504);
    gate.open();
    gate.passing().await;
}

#[tokio::test]
async fn the_drain_waits_for_detached_work_that_has_no_client_any_more() {
    let running = testing::start::<Example>(json!({"drain_timeout_ms": 60_000})).await;
    let gate = Gate::new();
    ask_and_hang_up(running.address(), &gate).await;
    running.ask_to_stop();
    draining(&running).await;
    // Each is a round trip: a drain that waits for nothing would be over.
    for _ in 0..20 {
        let livez = running.http.get(format!("{}/livez", running.admin_url));
        assert_eq!(livez.send().await.unwrap().status(), 200);
    }
    assert!(!running.has_ended());
    gate.open();
    within(running.ended()).await.unwrap();
    assert!(gate.passed().is_some());
}

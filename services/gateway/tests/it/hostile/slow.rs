//! Slow clients: none holds on for longer than the settings say.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use serde_json::json;

use crate::behind::Behind;
use crate::raw::{Answer, Client};
use crate::real::real;

const HEAD: &str = "POST /open HTTP/1.1\r\nhost: t\r\ncontent-length: 100\r\n\r\nstart";

/// Sends a start and then byte after byte until there is an answer.
async fn drip(client: &mut Client, start: &str) -> (Answer, Duration) {
    let started = Instant::now();
    client.send(start).await;
    let pause = Duration::from_millis(20);
    while tokio::time::timeout(pause, client.more()).await.is_err() {
        client.send("x").await;
        let limit = Duration::from_secs(10);
        assert!(started.elapsed() < limit, "dripping is not stopped");
    }
    (client.answer().await, started.elapsed())
}

#[tokio::test]
async fn what_drips_or_stops_is_answered_408_and_an_idle_connection_just_closed() {
    let behind =
        Behind::router(Router::new().fallback(post(async |body: String| body).get(async || "")));
    let times = json!({
        "header_timeout_ms": 300, "idle_timeout_ms": 300,
        "body_idle_timeout_ms": 200, "body_timeout_ms": 600,
    });
    let mut real = real(&times, &[behind.address]).await;
    for (start, code, least) in [
        ("GET /open HTTP/1.1\r\nx-slow: ", "head_timeout", 300),
        ("GET /op", "head_timeout", 300),
        (HEAD, "body_timeout", 600),
    ] {
        let mut client = real.client().await;
        let (answer, took) = drip(&mut client, start).await;
        real.saw(&answer);
        assert_eq!((answer.status, answer.problem().as_str()), (408, code));
        assert!(took >= Duration::from_millis(least), "{took:?}");
        assert!(client.is_closed().await);
    }
    for (start, code) in [("GET /op", "head_timeout"), (HEAD, "body_timeout")] {
        let answer = real.say(start).await;
        assert_eq!((answer.status, answer.problem().as_str()), (408, code));
    }

    // never a word
    assert!(real.client().await.is_closed().await);
    // one request, then silence
    let mut client = real.client().await;
    let answer = client.say(super::GOOD).await;
    real.saw(&answer);
    assert_eq!(answer.status, 200);
    assert!(client.is_closed().await);
    real.ends_unharmed().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_on_for_ever() {
    const SIZE: usize = 64 << 20;
    let behind = Behind::router(Router::new().fallback(async || vec![0_u8; SIZE]));
    let real = real(&json!({"body_idle_timeout_ms": 200}), &[behind.address]).await;
    let mut client = real.client().await;
    client.send("GET /open HTTP/1.1\r\nhost: t\r\n\r\n").await;
    while !client.text().contains("\r\n\r\n") {
        assert!(client.more().await);
    }
    testing::eventually("the connection is given up", || async {
        let open = real.metric("citywatch_gateway_connections ").await;
        (open == 0.0).then_some(())
    })
    .await;
    assert!(client.rest().await.len() < SIZE);
    let line = real
        .process
        .line("about it", |line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            (line["target"] == "access").then_some(line)
        })
        .await;
    assert_eq!(line["error.type"], "body_timeout");
    assert!(real.process.stop().await.status.success());
}

//! Time and its limits: slow services, too many connections, the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use serde_json::json;
use tokio::sync::Notify;

use crate::behind::Behind;
use crate::raw::Client;
use crate::town::street;

#[tokio::test]
async fn a_slow_service_is_answered_504_by_the_time_of_its_route() {
    let behind = Behind::router(
        Router::new()
            .route("/known", get(async || "known"))
            .fallback(async || std::future::pending::<String>().await),
    );
    let table = json!([
        {"path": "/known", "methods": ["GET"], "service": "shop", "access": "public"},
        {"path": "/slow", "methods": ["GET", "POST"], "service": "shop", "access": "public", "timeout_ms": 200},
    ]);
    let street = street(json!({"routes": table}), &[behind.address]).await;
    let started = Instant::now();
    let mut client = street.client().await;
    let answer = client.say("GET /slow HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (504, "gateway_timeout")
    );
    let took = started.elapsed();
    assert!((200..2_000).contains(&took.as_millis()), "{took:?}");
    // the connection goes on
    assert_eq!(
        client
            .say("GET /known HTTP/1.1\r\nhost: t\r\n\r\n")
            .await
            .status,
        200
    );
    let post = "POST /slow HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(client.say(post).await.problem(), "gateway_timeout");
}

#[tokio::test]
async fn an_answer_that_stalls_is_broken_off() {
    let behind = Behind::router(Router::new().fallback(async || {
        let start = futures_util::stream::iter([Ok::<_, std::io::Error>("start")]);
        let stall = futures_util::stream::pending();
        Body::from_stream(futures_util::StreamExt::chain(start, stall))
    }));
    let street = street(json!({"body_idle_timeout_ms": 200}), &[behind.address]).await;
    let mut client = street.client().await;
    client.send("GET /open HTTP/1.1\r\nhost: t\r\n\r\n").await;
    let rest = String::from_utf8(client.rest().await).unwrap();
    assert!(
        rest.contains("start") && !rest.ends_with("0\r\n\r\n"),
        "{rest}"
    );
}

#[tokio::test]
async fn more_connections_than_allowed_are_turned_away_with_a_word() {
    let street = street(json!({"max_connections": 3}), &[]).await;
    let request = "GET /x HTTP/1.1\r\nhost: t\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = street.client().await;
        assert_eq!(client.say(request).await.status, 404);
        held.push(client);
    }
    let mut late = street.client().await;
    let answer = late.say(request).await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "too_many_connections")
    );
    held.pop();
    testing::eventually("there is room again", || async {
        (street.client().await.say(request).await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn stopping_lets_what_is_under_way_end() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let behind = {
        let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
        Behind::router(Router::new().fallback(async move || {
            begun.notify_one();
            go.notified().await;
            "done"
        }))
    };
    let settings = json!({"workers": 2, "drain_timeout_ms": 5_000});
    let street = street(settings, &[behind.address]).await;
    let address = street.address();
    let mut idle = street.client().await;
    assert_eq!(
        idle.say("GET /x HTTP/1.1\r\nhost: t\r\n\r\n").await.status,
        404
    );
    let mut busy = street.client().await;
    busy.send("GET /open HTTP/1.1\r\nhost: t\r\n\r\n").await;
    begun.notified().await;

    let crate::town::Street { gateway, registry } = street;
    let stopped = tokio::spawn(gateway.stop());
    assert!(idle.is_closed().await, "idle connections close at once");
    testing::eventually("nobody is let in any more", || async {
        tokio::net::TcpStream::connect(address).await.err()
    })
    .await;
    assert!(!stopped.is_finished());
    go.notify_one();
    let answer = busy.answer().await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, b"done".as_slice())
    );
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(busy.is_closed().await);
    stopped.await.unwrap();
    drop(registry);
}

#[tokio::test]
async fn what_does_not_end_is_cut_off() {
    let behind =
        Behind::router(Router::new().fallback(async || std::future::pending::<String>().await));
    let street = street(json!({"drain_timeout_ms": 200}), &[behind.address]).await;
    let mut client = street.client().await;
    client.send("GET /open HTTP/1.1\r\nhost: t\r\n\r\n").await;
    let started = Instant::now();
    let crate::town::Street { gateway, registry } = street;
    gateway.stop().await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(client.is_closed().await);
    drop(registry);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    let gone = Arc::new(Notify::new());
    struct Told(Arc<Notify>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (begun, tell) = (Arc::new(Notify::new()), Arc::clone(&gone));
    let started = Arc::clone(&begun);
    let behind = Behind::router(Router::new().fallback(async move || {
        let _told = Told(Arc::clone(&tell));
        started.notify_one();
        std::future::pending::<String>().await
    }));
    let street = street(json!({}), &[behind.address]).await;
    let mut client: Client = street.client().await;
    client.send("GET /open HTTP/1.1\r\nhost: t\r\n\r\n").await;
    begun.notified().await;
    drop(client);
    tokio::time::timeout(Duration::from_secs(10), gone.notified())
        .await
        .unwrap();
    testing::eventually("it is counted", || async {
        let series = "citywatch_gateway_rejections_total{reason=\"client_gone\"}";
        (street.metric(series).await == 1.0).then_some(())
    })
    .await;
}

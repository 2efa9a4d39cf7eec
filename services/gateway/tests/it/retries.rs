//! Instances die; requests that may be made again are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::behind::Behind;
use crate::town::street;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn read_request(socket: &mut TcpStream) -> bool {
    let mut buffer = [0; 8192];
    socket.read(&mut buffer).await.unwrap_or(0) > 0
}

#[tokio::test]
async fn killing_one_of_three_instances_loses_no_request() {
    let slow = || {
        Behind::router(Router::new().fallback(async || {
            tokio::time::sleep(Duration::from_millis(2)).await;
            "served"
        }))
    };
    let mut instances = vec![slow(), slow(), slow()];
    let addresses: Vec<_> = instances.iter().map(|instance| instance.address).collect();
    let street = Arc::new(street(json!({"workers": 2}), &addresses).await);
    let done = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (street, done) = (Arc::clone(&street), Arc::clone(&done));
            tokio::spawn(async move {
                let mut client = street.client().await;
                for _ in 0..200 {
                    let answer = client.say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n").await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    done.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    testing::eventually("requests are under way", || async {
        (done.load(SeqCst) > 200).then_some(())
    })
    .await;
    instances.remove(1).kill();
    for client in clients {
        client.await.unwrap();
    }
    let retried = |reason: &str| {
        let series = format!("citywatch_gateway_upstream_retries_total{{reason=\"{reason}\"}}");
        let street = Arc::clone(&street);
        async move { street.metric(&series).await }
    };
    let all = retried("connection_refused").await + retried("no_answer").await;
    assert!(all + retried("unsent").await > 0.0, "the death was noticed");
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced_once() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    // Answers one request on each connection, reads the next one and hangs up.
    let behind = Behind::sockets(move |_, mut socket| {
        let count = Arc::clone(&count);
        async move {
            count.fetch_add(1, SeqCst);
            if read_request(&mut socket).await {
                socket.write_all(OK).await.unwrap();
                read_request(&mut socket).await;
            }
        }
    });
    let street = street(json!({}), &[behind.address]).await;
    let mut client = street.client().await;
    for _ in 0..10 {
        let answer = client.say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n").await;
        assert_eq!(answer.status, 200);
    }
    assert!(connections.load(SeqCst) >= 10);
    let series = "citywatch_gateway_upstream_retries_total{reason=\"no_answer\"}";
    assert!(street.metric(series).await >= 9.0);

    // what is not idempotent is not said twice
    let post = "POST /open HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nhi";
    let mut refused = 0;
    for _ in 0..4 {
        client.say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n").await;
        let answer = client.say(post).await;
        if answer.status == 502 {
            assert_eq!(answer.problem(), "bad_gateway");
            refused += 1;
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_service_that_always_hangs_up_is_asked_twice_and_given_up() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let behind = Behind::sockets(move |_, mut socket| {
        let count = Arc::clone(&count);
        async move {
            read_request(&mut socket).await;
            count.fetch_add(1, SeqCst);
        }
    });
    let street = street(json!({}), &[behind.address]).await;
    let mut client = street.client().await;
    let answer = client.say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (502, "bad_gateway")
    );
    assert_eq!(asked.load(SeqCst), 2);
    client
        .say("POST /open HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n")
        .await;
    assert_eq!(asked.load(SeqCst), 3);
}

#[tokio::test]
async fn nonsense_from_a_service_is_not_asked_for_twice() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let behind = Behind::sockets(move |_, mut socket| {
        let count = Arc::clone(&count);
        async move {
            read_request(&mut socket).await;
            count.fetch_add(1, SeqCst);
            let _ = socket.write_all(b"what?\r\n\r\n").await;
        }
    });
    let street = street(json!({}), &[behind.address]).await;
    let before = asked.load(SeqCst);
    let answer = street
        .client()
        .await
        .say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n")
        .await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (502, "bad_gateway")
    );
    assert_eq!(asked.load(SeqCst) - before, 1);
}

#[tokio::test]
async fn refused_connections_lead_elsewhere_whatever_the_method() {
    let dead = Behind::router(Router::new());
    let dead_address = dead.address;
    dead.kill();
    let behind = Behind::router(Router::new().fallback(async |body: String| body));
    let street = street(json!({}), &[dead_address, behind.address]).await;
    let mut client = street.client().await;
    for _ in 0..20 {
        let post = "POST /open HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nhi";
        let answer = client.say(post).await;
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (200, b"hi".as_slice())
        );
    }
}

#[tokio::test]
async fn without_an_instance_the_answer_is_503() {
    let street = street(json!({}), &[]).await;
    let answer = street
        .client()
        .await
        .say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n")
        .await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "service_unavailable")
    );
    assert_eq!(answer.header("retry-after"), Some("1"));

    let dead = Behind::router(Router::new());
    let address = dead.address;
    dead.kill();
    street.registry.place(crate::town::SERVICE, &[address]);
    let answer = street
        .client()
        .await
        .say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n")
        .await;
    assert_eq!(
        (answer.status, answer.problem().as_str()),
        (503, "service_unavailable")
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_for_the_client_too() {
    let behind = Behind::sockets(async |_, mut socket| {
        if read_request(&mut socket).await {
            let part = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this";
            let _ = socket.write_all(part).await;
        }
    });
    let street = street(json!({}), &[behind.address]).await;
    let mut client = street.client().await;
    client
        .send("GET /open HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")
        .await;
    let rest = String::from_utf8(client.rest().await).unwrap();
    assert!(
        rest.contains("content-length: 100") && rest.ends_with("only this"),
        "{rest}"
    );
}

#[tokio::test]
async fn load_spreads_over_instances() {
    let counts: Vec<_> = (0..3).map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let instances: Vec<_> = counts
        .iter()
        .map(|count| {
            let count = Arc::clone(count);
            Behind::router(Router::new().fallback(async move || {
                count.fetch_add(1, SeqCst);
            }))
        })
        .collect();
    let addresses: Vec<_> = instances.iter().map(|instance| instance.address).collect();
    let street = street(json!({}), &addresses).await;
    let mut client = street.client().await;
    for _ in 0..300 {
        client.say("GET /open HTTP/1.1\r\nhost: t\r\n\r\n").await;
    }
    for count in counts {
        let count = count.load(SeqCst);
        assert!((60..=140).contains(&count), "{count} of 300");
    }
}

//! Requests that do not end well.

use super::{Attributes, Probe};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use telemetry::testing::{Span, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a head and stays.
async fn begin(probe: &Probe, path: &str) -> TcpStream {
    let mut connection = TcpStream::connect(probe.address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

async fn first_piece(connection: &mut TcpStream) {
    let mut seen = String::new();
    while !seen.contains("first") {
        let mut piece = [0; 512];
        let len = connection.read(&mut piece).await.unwrap();
        assert_ne!(len, 0, "the server hung up: {seen}");
        seen.push_str(std::str::from_utf8(&piece[..len]).unwrap());
    }
}

type Sender = hyper::client::conn::http2::SendRequest<Empty<&'static [u8]>>;

async fn http2(probe: &Probe) -> Sender {
    let connection = TcpStream::connect(probe.address).await.unwrap();
    let connection = TokioIo::new(connection);
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), connection);
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(probe: &Probe, path: &str) -> Request<Empty<&'static [u8]>> {
    let uri = format!("http://{}{path}", probe.address);
    Request::get(uri).body(Empty::new()).unwrap()
}

/// The span and the labels say the same, and the status that was sent, if one was.
fn assert_ended(span: &Span, labels: &Attributes, error: &str, status: Option<i64>) {
    assert_eq!(span.text("error.type"), Some(error));
    assert_eq!(span.status, Status::Error(String::new()));
    assert_eq!(span.number("http.response.status_code"), status);
    assert_eq!(labels["error.type"], error);
    let status = status.map(|status| format!("int {status}"));
    assert_eq!(labels.get("http.response.status_code"), status.as_ref());
}

#[tokio::test]
async fn a_request_that_is_cancelled_before_its_answer() {
    let probe = Probe::new().await;
    let connection = begin(&probe, "/never").await;
    probe.begun.notified().await;
    drop(connection);
    assert_ended(
        &probe.span().await,
        &probe.served().await,
        "cancelled",
        None,
    );
}

#[tokio::test]
async fn a_stream_of_http_2_that_is_reset_before_its_answer() {
    let probe = Probe::new().await;
    let mut sender = http2(&probe).await;
    let answer = tokio::spawn(sender.send_request(get(&probe, "/never")));
    probe.begun.notified().await;
    answer.abort();
    assert_ended(
        &probe.span().await,
        &probe.served().await,
        "cancelled",
        None,
    );
}

/// The conventions' own example of a server.
#[tokio::test]
async fn a_connection_that_is_dropped_in_the_middle_of_the_body() {
    let probe = Probe::new().await;
    let mut connection = begin(&probe, "/stream").await;
    first_piece(&mut connection).await;
    assert!(probe.collector.spans().await.is_empty(), "it still goes on");
    drop(connection);
    let (span, labels) = (probe.span().await, probe.served().await);
    assert_ended(&span, &labels, "cancelled", Some(200));
}

#[tokio::test]
async fn a_stream_of_http_2_that_is_reset_in_the_middle_of_the_body() {
    let probe = Probe::new().await;
    let mut sender = http2(&probe).await;
    let answer = sender.send_request(get(&probe, "/stream")).await.unwrap();
    let mut body = answer.into_body();
    body.frame().await.unwrap().unwrap();
    assert!(probe.collector.spans().await.is_empty(), "it still goes on");
    drop(body);
    let (span, labels) = (probe.span().await, probe.served().await);
    assert_ended(&span, &labels, "cancelled", Some(200));
}

#[tokio::test]
async fn a_body_that_fails() {
    let probe = Probe::new().await;
    let mut connection = begin(&probe, "/fails").await;
    let mut answer = Vec::new();
    // Whether the connection ends well is up to the server.
    let _ = connection.read_to_end(&mut answer).await;
    let (span, labels) = (probe.span().await, probe.served().await);
    assert_ended(&span, &labels, "body_error", Some(200));
}

#[tokio::test]
async fn a_handler_that_panics() {
    let probe = Probe::new().await;
    let mut connection = begin(&probe, "/panic").await;
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    assert_ended(&probe.span().await, &probe.served().await, "panic", None);
}

#[tokio::test]
async fn a_request_that_went_well() {
    for head in [
        "GET /users/7 HTTP/1.1\r\nhost: a",
        "HEAD /users/7 HTTP/1.1\r\nhost: a",
    ] {
        let probe = Probe::new().await;
        probe.send(head).await;
        let (span, labels) = (probe.span().await, probe.served().await);
        assert_eq!(span.text("error.type"), None);
        assert_eq!(span.status, Status::Unset);
        assert!(!labels.contains_key("error.type"));
    }
}

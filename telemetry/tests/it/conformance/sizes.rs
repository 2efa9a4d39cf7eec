//! Sizes of bodies, which are measured where a service wants them.

use super::{Probe, attributes, pairs, points};
use crate::exposition::parse;
use telemetry::testing::Span;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &str = "http.server.request.body.size";
const RESPONSE: &str = "http.server.response.body.size";
const CHUNKED: &str = "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                       transfer-encoding: chunked\r\n\r\n";

async fn measuring() -> Probe {
    Probe::with(|settings| settings.body_sizes = true).await
}

/// Of the request and of the answer.
fn sizes(span: &Span) -> [Option<i64>; 2] {
    ["http.request.body.size", "http.response.body.size"].map(|key| span.number(key))
}

async fn sums(probe: &Probe) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for (sum, name) in sums.iter_mut().zip([REQUEST, RESPONSE]) {
        let points = probe.points(name).await;
        assert_eq!((points.len(), points[0].count), (1, 1), "{name}");
        *sum = points[0].sum.unwrap();
    }
    sums
}

#[tokio::test]
async fn unless_wanted_there_are_none() {
    let probe = Probe::new().await;
    probe.send("GET /users/7 HTTP/1.1\r\nhost: a").await;
    assert_eq!(sizes(&probe.span().await), [None, None]);
    assert!(probe.points(REQUEST).await.is_empty());
    assert!(probe.points(RESPONSE).await.is_empty());
    assert!(
        !probe
            .telemetry
            .metrics_page(None)
            .body
            .contains("body_size")
    );
}

#[tokio::test]
async fn a_known_length_is_taken_and_what_went_out_is_counted() {
    let probe = measuring().await;
    let mut connection = TcpStream::connect(probe.address).await.unwrap();
    let head = "POST /users/7 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                content-length: 1000\r\n\r\n";
    let request = [head.as_bytes(), &[b'x'; 1000]].concat();
    connection.write_all(&request).await.unwrap();
    connection.read_to_end(&mut Vec::new()).await.unwrap();
    let span = probe.span().await;
    assert_eq!(sizes(&span), [Some(1000), Some(4)]);

    // Exemplars are pushed once.
    let metrics = probe.metrics().await;
    let labels = pairs(&[
        ("http.request.method", "POST"),
        ("http.response.status_code", "int 200"),
        ("http.route", "/users/{id}"),
        ("network.protocol.version", "1.1"),
        ("url.scheme", "http"),
    ]);
    for (name, sum) in [(REQUEST, 1000.0), (RESPONSE, 4.0)] {
        let points = points(&metrics, name);
        assert_eq!((points.len(), points[0].count), (1, 1), "{name}");
        assert_eq!(points[0].sum, Some(sum));
        assert_eq!(attributes(&points[0].attributes), labels);
        let exemplar = &points[0].exemplars[0];
        assert_eq!(exemplar.span_id, span.span_id.0.to_be_bytes());
        let bounds = &points[0].explicit_bounds;
        assert_eq!(bounds[..3], [0.0, 128.0, 512.0]);
        assert!(bounds[1..].windows(2).all(|two| two[1] == 4.0 * two[0]));
    }
    let sizes = metrics
        .iter()
        .filter(|metric| [REQUEST, RESPONSE].contains(&metric.name.as_str()));
    assert!(sizes.map(|metric| metric.unit.as_str()).eq(["By", "By"]));

    let page = probe
        .telemetry
        .metrics_page(Some("application/openmetrics-text"));
    let page = parse(&page.body, true);
    let route = [("http_route", "/users/{id}")];
    let sum = |name: &str| page.one(name, &route).value;
    assert_eq!(sum("http_server_request_body_size_bytes_sum"), 1000.0);
    assert_eq!(sum("http_server_response_body_size_bytes_sum"), 4.0);
    let bucket = [("le", "2048.0"), route[0]];
    let bucket = page.one("http_server_request_body_size_bytes_bucket", &bucket);
    assert_eq!(bucket.exemplar.as_ref().unwrap().value, 1000.0);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_counted_as_it_comes_in() {
    let probe = measuring().await;
    let mut connection = TcpStream::connect(probe.address).await.unwrap();
    let body = "5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n";
    let request = format!("{CHUNKED}{body}");
    connection.write_all(request.as_bytes()).await.unwrap();
    connection.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(sizes(&probe.span().await), [Some(11), Some(11)]);
    assert_eq!(sums(&probe).await, [11.0, 11.0]);
}

/// Only what really passed is counted.
#[tokio::test]
async fn a_body_that_stops_midway_counts_as_far_as_it_came() {
    let probe = measuring().await;
    let mut connection = TcpStream::connect(probe.address).await.unwrap();
    let request = format!("{CHUNKED}5\r\nfirst\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.windows(5).any(|piece| piece == b"first") {
        connection.read_buf(&mut seen).await.unwrap();
    }
    drop(connection);
    let span = probe.span().await;
    assert!(span.is_error());
    assert_eq!(sizes(&span), [Some(5), Some(5)]);
}

#[tokio::test]
async fn no_body_is_a_body_of_no_bytes() {
    for head in ["GET /status/204", "HEAD /users/7"] {
        let probe = measuring().await;
        probe.send(&format!("{head} HTTP/1.1\r\nhost: a")).await;
        assert_eq!(sizes(&probe.span().await), [Some(0), Some(0)], "{head}");
        let points = probe.points(RESPONSE).await;
        assert_eq!(points[0].bucket_counts[0], 1, "in the bucket of nothing");
    }
}

#[tokio::test]
async fn a_client_measures_what_it_sends_and_is_promised() {
    let probe = measuring().await;
    let other = Probe::new().await;
    let client = probe.telemetry.client(reqwest::Client::new());
    let request = client.post(format!("http://{}/users/7", other.address));
    request.body("0123456789").send().await.unwrap();
    assert_eq!(sizes(&probe.span().await), [Some(10), Some(4)]);
    for (name, bytes) in [
        ("http.client.request.body.size", 10.0),
        ("http.client.response.body.size", 4.0),
    ] {
        let points = probe.points(name).await;
        assert_eq!(points[0].sum, Some(bytes), "{name}");
    }
}

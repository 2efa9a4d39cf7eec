//! Whatever is said to the gateway gets its proper status and a problem body, reaches no
//! service, and adds no series.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::Router;
use serde_json::json;

use crate::behind::Behind;
use crate::town::street;

struct Case {
    name: &'static str,
    say: Vec<u8>,
    status: u16,
    code: &'static str,
    closes: bool,
}

fn closing(name: &'static str, say: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Case {
    Case {
        name,
        say: say.into(),
        status,
        code,
        closes: true,
    }
}

fn staying(name: &'static str, say: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Case {
    Case {
        name,
        say: say.into(),
        status,
        code,
        closes: false,
    }
}

/// A request with these lines beside the host.
fn with(lines: &str) -> String {
    format!("POST /open HTTP/1.1\r\nhost: t\r\n{lines}\r\n\r\n")
}

fn cases() -> Vec<Case> {
    let long = "x".repeat(10_000);
    let longer = "x".repeat(40_000);
    let many: String = (0..200).map(|n| format!("h{n}: v\r\n")).collect();
    let chunked = |body: &str| with("transfer-encoding: chunked") + body;
    let mut h2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    h2.extend([0; 9]);
    vec![
        // framing
        closing(
            "length and coding",
            with("content-length: 5\r\ntransfer-encoding: chunked") + "0\r\n\r\n",
            400,
            "ambiguous_length",
        ),
        closing(
            "coding and length",
            with("transfer-encoding: chunked\r\ncontent-length: 5") + "0\r\n\r\n",
            400,
            "ambiguous_length",
        ),
        closing(
            "coding in capitals",
            with("Content-Length: 5\r\nTRANSFER-ENCODING:chunked") + "0\r\n\r\n",
            400,
            "ambiguous_length",
        ),
        closing(
            "lengths that differ",
            with("content-length: 5\r\ncontent-length: 6") + "hello",
            400,
            "ambiguous_length",
        ),
        closing(
            "lengths that agree",
            with("content-length: 5\r\ncontent-length: 5") + "hello",
            400,
            "ambiguous_length",
        ),
        closing(
            "list of lengths",
            with("content-length: 5, 5") + "hello",
            400,
            "malformed_request",
        ),
        closing(
            "negative length",
            with("content-length: -5") + "hello",
            400,
            "malformed_request",
        ),
        closing(
            "signed length",
            with("content-length: +5") + "hello",
            400,
            "malformed_request",
        ),
        closing(
            "length in hex",
            with("content-length: 0x5") + "hello",
            400,
            "malformed_request",
        ),
        closing(
            "length beyond 64 bits",
            with("content-length: 99999999999999999999"),
            400,
            "malformed_request",
        ),
        closing(
            "codings",
            with("transfer-encoding: gzip, chunked") + "0\r\n\r\n",
            501,
            "unsupported_transfer_coding",
        ),
        closing(
            "chunked twice",
            with("transfer-encoding: chunked, chunked") + "0\r\n\r\n",
            501,
            "unsupported_transfer_coding",
        ),
        closing(
            "two codings",
            with("transfer-encoding: chunked\r\ntransfer-encoding: chunked") + "0\r\n\r\n",
            501,
            "unsupported_transfer_coding",
        ),
        closing(
            "identity",
            with("transfer-encoding: identity\r\ncontent-length: 5") + "hello",
            400,
            "ambiguous_length",
        ),
        closing(
            "unknown coding",
            with("transfer-encoding: xchunked") + "0\r\n\r\n",
            501,
            "unsupported_transfer_coding",
        ),
        closing(
            "coding in 1.0",
            "POST /open HTTP/1.0\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "malformed_request",
        ),
        closing(
            "space before colon",
            with("transfer-encoding : chunked") + "0\r\n\r\n",
            400,
            "malformed_request",
        ),
        closing(
            "no chunk size",
            chunked("\r\nhello\r\n0\r\n\r\n"),
            400,
            "malformed_body",
        ),
        closing(
            "chunk size in words",
            chunked("five\r\nhello\r\n0\r\n\r\n"),
            400,
            "malformed_body",
        ),
        closing(
            "negative chunk",
            chunked("-5\r\nhello\r\n0\r\n\r\n"),
            400,
            "malformed_body",
        ),
        closing(
            "chunk beyond 64 bits",
            chunked("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
            400,
            "malformed_body",
        ),
        closing(
            "chunk without end",
            chunked("5\r\nhelloXX0\r\n\r\n"),
            400,
            "malformed_body",
        ),
        // the head
        closing("no request", "nonsense\r\n\r\n", 400, "malformed_request"),
        closing(
            "binary",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
            400,
            "malformed_request",
        ),
        closing(
            "no version",
            "GET /open\r\nhost: t\r\n\r\n",
            400,
            "malformed_request",
        ),
        closing(
            "version 2.0",
            "GET /open HTTP/2.0\r\nhost: t\r\n\r\n",
            505,
            "version_not_supported",
        ),
        closing(
            "version 0.9",
            "GET /open HTTP/0.9\r\nhost: t\r\n\r\n",
            505,
            "version_not_supported",
        ),
        closing("preface of HTTP/2", h2, 505, "version_not_supported"),
        closing("folded line", with("x: a\r\n b"), 400, "malformed_request"),
        closing("no colon", with("x"), 400, "malformed_request"),
        closing("empty name", with(": x"), 400, "malformed_request"),
        closing("bad name", with("x(y): z"), 400, "malformed_request"),
        closing(
            "name beyond ASCII",
            with("x\u{e9}: z"),
            400,
            "malformed_request",
        ),
        closing("NUL in a value", with("x: a\0b"), 400, "malformed_request"),
        closing("CR in a value", with("x: a\rb"), 400, "malformed_request"),
        closing(
            "two spaces",
            "GET  /open HTTP/1.1\r\nhost: t\r\n\r\n",
            400,
            "malformed_request",
        ),
        closing(
            "space in target",
            "GET /open x HTTP/1.1\r\nhost: t\r\n\r\n",
            400,
            "malformed_request",
        ),
        closing("many lines", with(&many), 431, "head_too_large"),
        closing(
            "long value",
            with(&format!("x: {longer}")),
            431,
            "head_too_large",
        ),
        closing(
            "long name",
            with(&format!("{longer}: x")),
            431,
            "head_too_large",
        ),
        closing(
            "long target",
            format!("GET /open/{long} HTTP/1.1\r\nhost: t\r\n\r\n"),
            414,
            "target_too_long",
        ),
        closing(
            "longer target",
            format!("GET /open/{longer} HTTP/1.1\r\nhost: t\r\n\r\n"),
            414,
            "target_too_long",
        ),
        closing(
            "long query",
            format!("GET /open?{long} HTTP/1.1\r\nhost: t\r\n\r\n"),
            414,
            "target_too_long",
        ),
        closing(
            "target that is no text",
            b"GET /open/\xff\xfe HTTP/1.1\r\nhost: t\r\n\r\n".to_vec(),
            400,
            "malformed_request",
        ),
        staying(
            "unknown route, other method",
            "DELETE /unknown HTTP/1.1\r\nhost: t\r\n\r\n",
            404,
            "unknown_route",
        ),
        // host and target
        closing("no host", "GET /open HTTP/1.1\r\n\r\n", 400, "invalid_host"),
        closing(
            "two hosts",
            "GET /open HTTP/1.1\r\nhost: t\r\nhost: t\r\n\r\n",
            400,
            "invalid_host",
        ),
        closing(
            "empty host",
            "GET /open HTTP/1.1\r\nhost:\r\n\r\n",
            400,
            "invalid_host",
        ),
        closing(
            "odd host",
            "GET /open HTTP/1.1\r\nhost: a/b\r\n\r\n",
            400,
            "invalid_host",
        ),
        closing(
            "long host",
            format!("GET /open HTTP/1.1\r\nhost: {long}\r\n\r\n"),
            400,
            "invalid_host",
        ),
        closing(
            "another host",
            "GET http://other/open HTTP/1.1\r\nhost: t\r\n\r\n",
            400,
            "invalid_target",
        ),
        closing(
            "another scheme",
            "GET ftp://t/open HTTP/1.1\r\nhost: t\r\n\r\n",
            400,
            "invalid_target",
        ),
        closing(
            "dots",
            "GET /open/../v1/instances HTTP/1.1\r\nhost: t\r\n\r\n",
            400,
            "invalid_target",
        ),
        closing(
            "encoded dots",
            "GET /open/%2e%2E/x HTTP/1.1\r\nhost: t\r\n\r\n",
            400,
            "invalid_target",
        ),
        closing(
            "tunnel",
            "CONNECT t:80 HTTP/1.1\r\nhost: t:80\r\n\r\n",
            501,
            "method_not_implemented",
        ),
        closing(
            "expectation",
            with("expect: miracles\r\ncontent-length: 0"),
            417,
            "expectation_failed",
        ),
        // routes and methods
        staying(
            "unknown route",
            "GET /unknown HTTP/1.1\r\nhost: t\r\n\r\n",
            404,
            "unknown_route",
        ),
        staying(
            "inner route",
            "GET /v1/instances HTTP/1.1\r\nhost: t\r\n\r\n",
            404,
            "unknown_route",
        ),
        staying(
            "metrics",
            "GET /metrics HTTP/1.1\r\nhost: t\r\n\r\n",
            404,
            "unknown_route",
        ),
        staying(
            "case",
            "GET /OPEN HTTP/1.1\r\nhost: t\r\n\r\n",
            404,
            "unknown_route",
        ),
        staying(
            "double slash",
            "GET //open HTTP/1.1\r\nhost: t\r\n\r\n",
            404,
            "unknown_route",
        ),
        staying(
            "wrong method",
            "DELETE /known HTTP/1.1\r\nhost: t\r\n\r\n",
            405,
            "method_not_allowed",
        ),
        staying(
            "made-up method",
            "BREW /known HTTP/1.1\r\nhost: t\r\n\r\n",
            405,
            "method_not_allowed",
        ),
        staying(
            "long method",
            format!("{long} /known HTTP/1.1\r\nhost: t\r\n\r\n"),
            405,
            "method_not_allowed",
        ),
        staying(
            "trace",
            "TRACE /known HTTP/1.1\r\nhost: t\r\n\r\n",
            405,
            "method_not_allowed",
        ),
        // bodies
        closing(
            "length over the limit",
            with("content-length: 2000"),
            413,
            "body_too_large",
        ),
        closing(
            "chunks over the limit",
            chunked(&format!("7d0\r\n{}\r\n0\r\n\r\n", &long[..2000])),
            413,
            "body_too_large",
        ),
        closing(
            "length over it, sent",
            with("content-length: 40000") + &longer,
            413,
            "body_too_large",
        ),
    ]
}

#[tokio::test]
async fn every_hostile_request_gets_its_answer_and_adds_no_series() {
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    let behind = Behind::router(Router::new().fallback(
        move |body: axum::body::Bytes| async move {
            // Streams that break off fail before this handler is called.
            count.fetch_add(1, SeqCst);
            body
        },
    ));
    let street = street(json!({"max_body_bytes": 1000}), &[behind.address]).await;
    let run = async || {
        let mut wrong = Vec::new();
        for case in cases() {
            let mut client = street.client().await;
            client.send(&case.say).await;
            let Some(answer) = client.try_answer().await else {
                wrong.push(format!("{}: no answer", case.name));
                continue;
            };
            let head = format!("{}: {} {}", case.name, answer.status, answer.problem());
            if head != format!("{}: {} {}", case.name, case.status, case.code) {
                wrong.push(format!("{head}, wanted {} {}", case.status, case.code));
            }
            if case.closes {
                if answer.header("connection") != Some("close") || !client.is_closed().await {
                    wrong.push(format!("{}: does not close", case.name));
                }
            } else {
                let next = client.say("GET /known HTTP/1.1\r\nhost: t\r\n\r\n").await;
                if next.status != 200 {
                    wrong.push(format!("{}: then {}", case.name, next.status));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    };
    run().await;
    let served = reached.load(SeqCst);
    let series = street.series().await;
    run().await;
    let stays = cases().iter().filter(|case| !case.closes).count();
    assert_eq!(
        reached.load(SeqCst) - served,
        stays,
        "only what followed was served"
    );
    assert_eq!(street.series().await, series);
}

#[tokio::test]
async fn a_smuggled_request_is_never_answered() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({}), &[behind.address]).await;
    let smuggled = "GET /open/smuggled HTTP/1.1\r\nhost: t\r\n\r\n";
    let before = "GET /known HTTP/1.1\r\nhost: t\r\n\r\n";
    let size = smuggled.len();
    let attacks = [
        with("content-length: 4\r\ntransfer-encoding: chunked") + "0\r\n\r\n" + smuggled,
        with(&format!(
            "content-length: {size}\r\ntransfer-encoding: chunked"
        )) + "0\r\n\r\n"
            + smuggled,
        with(&format!("content-length: 0\r\ncontent-length: {size}")) + smuggled,
        with("transfer-encoding: chunked") + "0\n\n" + smuggled,
        with("transfer-encoding: chunked") + "zz\r\n" + smuggled,
        with("transfer-encoding: xchunked") + smuggled,
    ];
    for attack in attacks {
        // pipelined behind a good request, the head is watched all the same
        let mut client = street.client().await;
        client.send(format!("{before}{attack}")).await;
        assert_eq!(client.answer().await.status, 200);
        let refused = client.answer().await;
        assert!(
            (400..600).contains(&refused.status),
            "{attack:?}: {refused:?}"
        );
        refused.problem();
        assert!(client.is_closed().await, "{attack:?}: {}", client.text());
    }
}

#[tokio::test]
async fn labels_of_ten_thousand_characters_add_no_series() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({"max_header_bytes": 65_536}), &[behind.address]).await;
    let flood = async |letter: &str| {
        let long = letter.repeat(10_000);
        let tokens = [
            format!("GET /open HTTP/1.1\r\nhost: t\r\nuser-agent: {long}\r\n\r\n"),
            format!("GET /open HTTP/1.1\r\nhost: t\r\nx-{long}: {long}\r\n\r\n"),
            format!(
                "GET /open HTTP/1.1\r\nhost: t\r\ntraceparent: {long}\r\ntracestate: {long}\r\n\r\n"
            ),
            format!("GET /open HTTP/1.1\r\nhost: t\r\nx-forwarded-for: {long}\r\n\r\n"),
            format!("GET /open HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {long}\r\n\r\n"),
            format!("GET /{long} HTTP/1.1\r\nhost: t\r\n\r\n"),
            format!("GET /open/{} HTTP/1.1\r\nhost: t\r\n\r\n", &long[..2_000]),
            format!("{long} /open HTTP/1.1\r\nhost: t\r\n\r\n"),
            format!("GET /open HTTP/1.1\r\nhost: {}\r\n\r\n", &long[..200]),
            format!("GET /{} HTTP/1.1\r\nhost: t\r\n\r\n", &long[..200]),
        ];
        let mut statuses = Vec::new();
        for token in tokens {
            statuses.push(street.client().await.say(token).await.status);
        }
        statuses
    };
    let statuses = flood("a").await;
    assert_eq!(statuses, [200, 200, 200, 200, 401, 414, 200, 405, 200, 404]);
    let series = street.series().await;
    for letter in ["b", "c", "d"] {
        assert_eq!(flood(letter).await, statuses);
    }
    assert_eq!(street.series().await, series);
}

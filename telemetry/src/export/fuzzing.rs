//! Checks of what collectors answer, and of OTLP in its other forms.

use super::client::{Answer, Delivered};
use super::signal::Signal;
use super::{grpc, http, json, zipkin};
use crate::fuzzing::headers;
use crate::settings::Protocol;
use crate::testing;
use ::http::StatusCode;
use std::time::Instant;

/// Two bytes for the status, lines for the headers, an empty line, the body. A wait is one that
/// a clock can add.
pub(crate) fn answer(input: &[u8]) {
    let Some((code, rest)) = input.split_first_chunk() else {
        return;
    };
    let code = 100 + u16::from_be_bytes(*code) % 900;
    let Ok(code) = StatusCode::from_u16(code) else {
        return;
    };
    let end = rest.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&rest[..end], &rest[end + 2..]),
        None => (rest, &[][..]),
    };
    let headers = headers(head);
    for protocol in [Protocol::HttpProtobuf, Protocol::HttpJson] {
        let answer = http::judge(protocol, code, &headers, body);
        let taken = matches!(answer.delivered, Delivered::Taken { .. });
        assert_eq!(taken, code.is_success());
        sound(&answer, body);
    }
    sound(&grpc::judge(code, &headers, body), body);
}

fn sound(answer: &Answer, body: &[u8]) {
    if let Delivered::Retry { after: Some(after) } = answer.delivered {
        assert!(Instant::now().checked_add(after).is_some(), "{after:?}");
    }
    // A byte that is no UTF-8 becomes a character of three.
    assert!(answer.reason.len() <= 3 * body.len() + 4096);
}

/// Whatever is taken for OTLP becomes JSON that a parser reads, in one line.
pub(crate) fn request(input: &[u8]) {
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        is_json(&json::to_json(signal, input));
    }
    is_json(&zipkin::to_zipkin(input));
    // The testing kit's own reader: it says what is wrong.
    if let Err(malformed) = testing::decode(input) {
        assert!(!malformed.to_string().is_empty());
    }
}

fn is_json(text: &[u8]) {
    assert!(text.iter().all(|byte| *byte >= b' '));
    match serde_json::from_slice::<serde_json::Value>(text) {
        Ok(_) => {}
        // The parser's own bound.
        Err(error) if error.to_string().starts_with("recursion limit") => {}
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(text)),
    }
}

//! What a collector says about a failure:
//! [`google.rpc.Status`](https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto),
//! and in it `RetryInfo`, when to come back.

use super::message;
use super::retry::MOST_ASKED;
use ::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use std::time::Duration;

/// `Status.message`.
pub(super) fn message(status: &[u8]) -> String {
    let text = message::bytes(status, 2).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// The wait that a gRPC status asks for by a `RetryInfo` among its details.
pub(super) fn retry_delay(details: &HeaderValue) -> Option<Duration> {
    // Senders may pad binary metadata or not.
    let text = details.to_str().ok()?.trim_end_matches('=');
    let status = STANDARD_NO_PAD.decode(text).ok()?;
    let info = message::all_bytes(&status, 3).find_map(|any| {
        let kind = message::bytes(any, 1)?;
        let retry_info = kind.ends_with(b"/google.rpc.RetryInfo");
        retry_info.then(|| message::bytes(any, 2).unwrap_or_default())
    })?;
    let delay = message::bytes(info, 1).unwrap_or_default();
    // Negative delays are no delays.
    let seconds = i64::from_ne_bytes(message::number(delay, 1).to_ne_bytes());
    let nanos = i64::from_ne_bytes(message::number(delay, 2).to_ne_bytes());
    let nanos = u32::try_from(nanos).unwrap_or(0).min(999_999_999);
    let delay = Duration::new(u64::try_from(seconds).unwrap_or(0), nanos);
    Some(delay.min(MOST_ASKED))
}

/// The names of gRPC's codes, as `rpc.response.status_code` has them.
pub(super) fn code_name(code: u16) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.get(usize::from(code)).unwrap_or(&"UNKNOWN")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use prost::Message;

    #[derive(Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }
    #[derive(Message)]
    struct RetryInfo {
        #[prost(message, tag = "1")]
        retry_delay: Option<Delay>,
    }
    #[derive(Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes, tag = "2")]
        value: Vec<u8>,
    }
    #[derive(Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }

    /// `grpc-status-details-bin` with a `RetryInfo` behind another detail.
    pub(in super::super) fn details(seconds: i64, nanos: i32) -> HeaderValue {
        let retry_delay = Some(Delay { seconds, nanos });
        let status = Status {
            code: 14,
            message: "busy".to_owned(),
            details: vec![
                Any {
                    type_url: "type.googleapis.com/google.rpc.BadRequest".to_owned(),
                    value: vec![1, 2, 3],
                },
                Any {
                    type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
                    value: RetryInfo { retry_delay }.encode_to_vec(),
                },
            ],
        };
        let text = STANDARD_NO_PAD.encode(status.encode_to_vec());
        HeaderValue::try_from(text).unwrap()
    }

    #[test]
    fn the_delay_is_found_among_the_details() {
        for (seconds, nanos, expected) in [
            (7, 0, Duration::from_secs(7)),
            (0, 250_000_000, Duration::from_millis(250)),
            (-1, -1, Duration::ZERO),
            (i64::MAX, 0, MOST_ASKED),
        ] {
            assert_eq!(retry_delay(&details(seconds, nanos)), Some(expected));
        }
        let mut padded = details(7, 0).to_str().unwrap().to_owned();
        while !padded.len().is_multiple_of(4) {
            padded.push('=');
        }
        let padded = HeaderValue::try_from(padded).unwrap();
        assert_eq!(retry_delay(&padded), Some(Duration::from_secs(7)));
    }

    #[test]
    fn what_is_no_retry_info_asks_for_nothing() {
        let empty = Status::default().encode_to_vec();
        let empty = STANDARD_NO_PAD.encode(empty);
        for text in [empty.as_str(), "", "!", "AAAA", "/////w"] {
            assert_eq!(
                retry_delay(&HeaderValue::from_str(text).unwrap()),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn a_status_says_why() {
        let status = Status {
            message: "no such tenant".to_owned(),
            ..Status::default()
        };
        assert_eq!(message(&status.encode_to_vec()), "no such tenant");
        assert_eq!(message(b"<html>"), "");
    }
}

//! `Export…ServiceResponse`, as far as it matters: how many items were refused, and why. The
//! responses of all signals have the same numbers of fields.

use super::client::{Answer, Delivered, Status};
use super::message;
use serde_json::Value;

/// An answer of success in protobuf; it may still refuse some items.
pub(super) fn taken(status: Status, response: &[u8]) -> Answer {
    let partial = message::bytes(response, 1).unwrap_or_default();
    let reason = message::bytes(partial, 2).unwrap_or_default();
    Answer {
        delivered: Delivered::Taken {
            rejected: message::number(partial, 1),
        },
        status,
        reason: String::from_utf8_lossy(reason).into_owned(),
    }
}

/// The same in JSON, where 64-bit numbers are text, or numbers all the same.
pub(super) fn taken_json(status: Status, response: &[u8]) -> Answer {
    let response: Value = serde_json::from_slice(response).unwrap_or_default();
    let partial = &response["partialSuccess"];
    let rejected = ["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"]
        .into_iter()
        .find_map(|name| match &partial[name] {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        });
    Answer {
        delivered: Delivered::Taken {
            rejected: rejected.unwrap_or(0),
        },
        status,
        reason: partial["errorMessage"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::{logs, metrics, trace};
    use prost::Message;

    const OK: Status = Status::Http(200);

    #[test]
    fn refused_items_of_every_signal_are_found() {
        let error_message = "too old".to_owned();
        let spans = trace::v1::ExportTraceServiceResponse {
            partial_success: Some(trace::v1::ExportTracePartialSuccess {
                rejected_spans: 300,
                error_message: error_message.clone(),
            }),
        };
        let points = metrics::v1::ExportMetricsServiceResponse {
            partial_success: Some(metrics::v1::ExportMetricsPartialSuccess {
                rejected_data_points: 300,
                error_message: error_message.clone(),
            }),
        };
        let records = logs::v1::ExportLogsServiceResponse {
            partial_success: Some(logs::v1::ExportLogsPartialSuccess {
                rejected_log_records: 300,
                error_message,
            }),
        };
        for response in [
            spans.encode_to_vec(),
            points.encode_to_vec(),
            records.encode_to_vec(),
        ] {
            let answer = taken(OK, &response);
            assert_eq!(answer.delivered, Delivered::Taken { rejected: 300 });
            assert_eq!(answer.reason, "too old");
        }
    }

    #[test]
    fn json_says_the_same() {
        for (name, number) in [
            ("rejectedSpans", "\"300\""),
            ("rejectedDataPoints", "300"),
            ("rejectedLogRecords", "\"300\""),
        ] {
            let response =
                format!(r#"{{"partialSuccess":{{"{name}":{number},"errorMessage":"too old"}}}}"#);
            let answer = taken_json(OK, response.as_bytes());
            assert_eq!(answer.delivered, Delivered::Taken { rejected: 300 });
            assert_eq!(answer.reason, "too old");
        }
    }

    #[test]
    fn anything_else_refuses_nothing() {
        for message in [
            &[][..],
            &[0x0a],
            &[0x0a, 0xff, 0xff],
            &[0xff; 12],
            &[0x0b, 1],
            b"{}",
            b"{\"partialSuccess\":null}",
            b"{\"partialSuccess\":{\"rejectedSpans\":\"many\"}}",
        ] {
            let nothing = Delivered::Taken { rejected: 0 };
            assert_eq!(taken(OK, message).delivered, nothing);
            assert_eq!(taken_json(OK, message).delivered, nothing);
        }
    }
}

//! `Export…ServiceResponse`, as far as it matters: how many items were refused, and why. The
//! responses of all signals have the same numbers of fields.

use super::client::{Answer, Delivered};

/// An answer of success; it may still refuse some items.
pub(super) fn taken(message: &[u8]) -> Answer {
    let partial = field(message, 1);
    let number = |value| {
        if let Some(Value::Number(number)) = value {
            number
        } else {
            0
        }
    };
    let (rejected, reason) = match partial {
        Some(Value::Bytes(partial)) => {
            let reason = match field(partial, 2) {
                Some(Value::Bytes(text)) => String::from_utf8_lossy(text).into_owned(),
                _ => String::new(),
            };
            (number(field(partial, 1)), reason)
        }
        _ => (0, String::new()),
    };
    Answer {
        delivered: Delivered::Taken { rejected },
        reason,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The last field of this number. What cannot be read ends the search.
fn field(mut message: &[u8], number: u64) -> Option<Value<'_>> {
    let mut found = None;
    while !message.is_empty() {
        let Some((key, value)) = next(&mut message) else {
            break;
        };
        if key == number {
            found = Some(value);
        }
    }
    found
}

fn next<'a>(message: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let tag = varint(message)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(message)?),
        1 => Value::Bytes(bytes(message, 8)?),
        2 => {
            let len = varint(message)?;
            Value::Bytes(bytes(message, usize::try_from(len).ok()?)?)
        }
        5 => Value::Bytes(bytes(message, 4)?),
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn bytes<'a>(message: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, rest) = message.split_at_checked(len)?;
    *message = rest;
    Some(head)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::{logs, metrics, trace};
    use prost::Message;

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
            let answer = taken(&response);
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
        ] {
            assert_eq!(taken(message).delivered, Delivered::Taken { rejected: 0 });
        }
    }
}

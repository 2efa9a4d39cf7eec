//! An event as an OTLP
//! [`LogRecord`](https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto).

use std::error::Error;
use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

use super::error::Causes;
use super::head::Members;
use crate::context::current::Ids;
use crate::settings::Limits;
use crate::span::proto::{self, Attribute};

const TIME: u8 = 0x09;
const SEVERITY_NUMBER: u8 = 0x10;
const SEVERITY_TEXT: u8 = 0x1a;
const BODY: u8 = 0x2a;
const ATTRIBUTE: u8 = 0x32;
const DROPPED_ATTRIBUTES: u8 = 0x38;
const FLAGS: u8 = 0x45;
const TRACE_ID: u8 = 0x4a;
const SPAN_ID: u8 = 0x52;
const OBSERVED_TIME: u8 = 0x59;
const EVENT_NAME: u8 = 0x62;

/// Writes an event that happens now, at `nanos` since the Unix epoch.
pub(super) fn write(
    out: &mut Vec<u8>,
    event: &Event<'_>,
    limits: &Limits,
    nanos: u64,
    ids: Option<Ids>,
) {
    let mut record = open(out, event.metadata(), limits, nanos, ids);
    event.record(&mut record);
    record.finish();
}

/// Starts a record. Fields follow, then [`Record::finish`].
pub(super) fn open<'a>(
    out: &'a mut Vec<u8>,
    metadata: &Metadata<'_>,
    limits: &'a Limits,
    nanos: u64,
    ids: Option<Ids>,
) -> Record<'a> {
    for tag in [TIME, OBSERVED_TIME] {
        out.push(tag);
        out.extend_from_slice(&nanos.to_le_bytes());
    }
    out.extend_from_slice(&[SEVERITY_NUMBER, severity(*metadata.level())]);
    proto::bytes(out, SEVERITY_TEXT, metadata.level().as_str().as_bytes());
    if let Some((trace_id, span_id, flags)) = ids {
        proto::bytes(out, TRACE_ID, &trace_id.0.to_be_bytes());
        proto::bytes(out, SPAN_ID, &span_id.0.to_be_bytes());
        out.push(FLAGS);
        out.extend_from_slice(&u32::from(flags.0).to_le_bytes());
    }
    // Without a name of its own an event is called after its place: `event src/main.rs:12`.
    if !metadata.name().starts_with("event ") {
        proto::bytes(out, EVENT_NAME, metadata.name().as_bytes());
    }
    Record {
        out,
        limits,
        is_error: *metadata.level() == Level::ERROR,
        has_body: false,
        has_exception: false,
        count: 0,
        dropped: 0,
        text: String::new(),
    }
}

/// By the [log data model](https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber).
fn severity(level: Level) -> u8 {
    match level {
        Level::TRACE => 1,
        Level::DEBUG => 5,
        Level::INFO => 9,
        Level::WARN => 13,
        Level::ERROR => 17,
    }
}

/// Writes the message as the body and other fields as attributes. What an event at `ERROR` calls
/// `error`, and any value that is an error, is its
/// [`exception.message`](https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-logs/).
#[derive(Debug)]
pub(super) struct Record<'a> {
    out: &'a mut Vec<u8>,
    limits: &'a Limits,
    is_error: bool,
    has_body: bool,
    has_exception: bool,
    count: u32,
    dropped: u32,
    /// Holds one value at a time while it is formatted.
    text: String,
}

impl Record<'_> {
    pub(super) fn finish(self) {
        if self.dropped > 0 {
            self.out.push(DROPPED_ATTRIBUTES);
            proto::varint(self.out, self.dropped.into());
        }
    }

    fn attribute(&mut self, name: &str, value: impl Attribute) {
        if self.count < self.limits.attribute_count {
            self.count += 1;
            proto::attribute_within(self.out, ATTRIBUTE, self.limits, name, value);
        } else {
            self.dropped += 1;
        }
    }

    fn exception(&mut self, name: &str, message: &str) {
        let first = !std::mem::replace(&mut self.has_exception, true);
        self.attribute(if first { "exception.message" } else { name }, message);
    }

    fn formatted(&mut self, write: impl FnOnce(&mut Self, &str), value: fmt::Arguments<'_>) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        // An error is a `Debug` that gave up: what it wrote is what there is.
        let _ = text.write_fmt(value);
        write(self, &text);
        self.text = text;
    }
}

impl Members for Record<'_> {
    fn text(&mut self, name: &str, value: &str) {
        match name {
            "message" if !std::mem::replace(&mut self.has_body, true) => {
                // Limits are about attributes.
                let limits = Limits::default();
                self.out.push(BODY);
                proto::varint(self.out, value.size(&limits) as u64);
                value.write(self.out, &limits);
            }
            "error" if self.is_error => self.exception(name, value),
            _ => self.attribute(name, value),
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        // OTLP has signed integers only.
        match i64::try_from(value) {
            Ok(value) => self.attribute(name, value),
            Err(_) => self.text(name, &value.to_string()),
        }
    }
}

impl Visit for Record<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attribute(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.attribute(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.attribute(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let write = |record: &mut Self, text: &str| record.exception(field.name(), text);
        self.formatted(write, format_args!("{}", Causes(value)));
    }

    /// 128-bit numbers too: OTLP has none.
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let write = |record: &mut Self, text: &str| record.text(field.name(), text);
        self.formatted(write, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{SpanId, TraceFlags, TraceId};
    use crate::log::tests::ALONE;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::logs::v1::LogRecord;
    use prost::Message;
    use std::sync::{Arc, Mutex, PoisonError};
    use tracing::{Subscriber, debug, error, info, trace, warn};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
    use tracing_subscriber::registry::Registry;

    const IDS: Ids = (TraceId(7 << 100), SpanId(9), TraceFlags::SAMPLED);

    struct Keep {
        limits: Limits,
        ids: Option<Ids>,
        records: Arc<Mutex<Vec<LogRecord>>>,
    }

    impl<S: Subscriber> Layer<S> for Keep {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut out = Vec::new();
            write(
                &mut out,
                event,
                &self.limits,
                1_700_000_000_123_456_789,
                self.ids,
            );
            let record = LogRecord::decode(&*out).unwrap();
            self.records.lock().unwrap().push(record);
        }
    }

    fn records(limits: Limits, ids: Option<Ids>, log: impl FnOnce()) -> Vec<LogRecord> {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let records = Arc::default();
        let keep = Keep {
            limits,
            ids,
            records: Arc::clone(&records),
        };
        tracing::subscriber::with_default(Registry::default().with(keep), log);
        let mut records = records.lock().unwrap();
        std::mem::take(&mut *records)
    }

    fn text(value: &str) -> Any {
        Any::StringValue(value.to_owned())
    }

    fn attributes(record: &LogRecord) -> Vec<(&str, Any)> {
        let pairs = record.attributes.iter();
        let value = |pair: &opentelemetry_proto::tonic::common::v1::KeyValue| {
            pair.value.clone().unwrap().value.unwrap()
        };
        pairs.map(|pair| (pair.key.as_str(), value(pair))).collect()
    }

    fn body(record: &LogRecord) -> Any {
        record.body.clone().unwrap().value.unwrap()
    }

    #[test]
    fn values_keep_their_types_and_the_message_is_the_body() {
        let records = records(Limits::default(), Some(IDS), || {
            info!(
                count = 3_u64,
                below = -4_i64,
                share = 0.5,
                huge = u64::MAX,
                yes = true,
                name = "é\n",
                debug = ?Some("x"),
                "it {}", "happened"
            );
        });
        let record = &records[0];
        assert_eq!(body(record), text("it happened"));
        assert_eq!(
            attributes(record),
            [
                ("count", Any::IntValue(3)),
                ("below", Any::IntValue(-4)),
                ("share", Any::DoubleValue(0.5)),
                ("huge", text(&u64::MAX.to_string())),
                ("yes", Any::BoolValue(true)),
                ("name", text("é\n")),
                ("debug", text("Some(\"x\")")),
            ]
        );
        assert_eq!(record.time_unix_nano, 1_700_000_000_123_456_789);
        assert_eq!(record.observed_time_unix_nano, record.time_unix_nano);
        assert_eq!(record.trace_id, (7_u128 << 100).to_be_bytes());
        assert_eq!(record.span_id, 9_u64.to_be_bytes());
        assert_eq!((record.flags, record.event_name.as_str()), (1, ""));
    }

    #[test]
    fn levels_become_severities_and_names_event_names() {
        let records = records(Limits::default(), None, || {
            trace!("");
            debug!("");
            info!(name: "order.placed", "");
            warn!("");
            error!("");
        });
        let severities = records.iter().map(|record| record.severity_number);
        assert_eq!(severities.collect::<Vec<_>>(), [1, 5, 9, 13, 17]);
        assert_eq!(records[4].severity_text, "ERROR");
        let names = records.iter().map(|record| record.event_name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["", "", "order.placed", "", ""]);
        assert!(records[0].trace_id.is_empty());
    }

    #[test]
    fn errors_are_exceptions() {
        #[derive(Debug, thiserror::Error)]
        #[error("order refused")]
        struct Refused(#[source] std::io::Error);
        let refused = Refused(std::io::Error::other("disk on fire"));
        let refused: &(dyn Error + 'static) = &refused;
        let records = records(Limits::default(), None, || {
            warn!(cause = refused, error = "kept", "cannot");
            error!(error = %refused, "cannot");
            error!(error = %refused, cause = refused, "cannot");
        });
        let with_causes = text("order refused: disk on fire");
        let (message, kept) = ("exception.message", text("kept"));
        assert_eq!(
            attributes(&records[0]),
            [(message, with_causes.clone()), ("error", kept)]
        );
        assert_eq!(attributes(&records[1]), [(message, text("order refused"))]);
        assert_eq!(
            attributes(&records[2]),
            [(message, text("order refused")), ("cause", with_causes)]
        );
    }

    #[test]
    fn limits_are_about_attributes_only() {
        let limits = Limits {
            attribute_count: 1,
            attribute_value_length: Some(3),
            ..Limits::default()
        };
        let records = records(limits, None, || {
            info!(a = "größe", b = 2, c = 3, "whole body");
        });
        assert_eq!(attributes(&records[0]), [("a", text("grö"))]);
        assert_eq!(records[0].dropped_attributes_count, 2);
        assert_eq!(body(&records[0]), text("whole body"));
    }
}

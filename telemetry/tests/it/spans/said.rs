//! What a span says: its fields, its events, and the limits of both.

use super::{Own, recorded};
use std::error::Error;
use std::fmt;
use telemetry::settings::Limits;
use telemetry::testing::{Kind, Status, Value};
use telemetry::{SpanLayer, Telemetry};
use tracing::{Level, info_span};

#[test]
fn fields_keep_their_types() {
    let spans = recorded(|_| {
        let error = failure();
        let _span = info_span!(
            "typed",
            small = u64::MAX >> 1,
            large = u64::MAX,
            wide = -5_i128,
            wider = i128::MIN,
            price = f64::INFINITY,
            bytes = &[0_u8, 255][..],
            error = &error as &dyn Error,
            empty = "",
            debug = ?Some("😀"),
            display = %"e\u{301}",
            r#type = true,
            absent = tracing::field::Empty,
        );
    });
    let span = spans.named("typed");
    let text = |text: &str| Value::from(text);
    for (key, value) in [
        ("small", Value::Int(i64::MAX)),
        ("large", text("18446744073709551615")),
        ("wide", Value::Int(-5)),
        ("wider", text("-170141183460469231731687303715884105728")),
        ("price", Value::Double(f64::INFINITY)),
        ("bytes", Value::Bytes(vec![0, 255])),
        ("error", text("no answer: connection refused")),
        ("empty", text("")),
        ("debug", text("Some(\"😀\")")),
        ("display", text("e\u{301}")),
        ("type", Value::Bool(true)),
    ] {
        assert_eq!(span.attributes.get(key), Some(&value), "{key}");
    }
    assert_eq!(span.attributes.len(), 11, "{:?}", span.attributes);
}

#[test]
fn what_is_recorded_late_counts_as_much() {
    let spans = recorded(|_| {
        use tracing::field::Empty;
        let span = info_span!(
            "unnamed",
            otel.name = Empty,
            otel.kind = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
            count = 1
        );
        span.in_scope(|| {});
        span.record("count", 2);
        span.record("otel.name", "orders receive");
        span.record("otel.kind", tracing::field::debug(Kind::Consumer));
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", "poison message");
    });
    let span = spans.named("orders receive");
    assert_eq!(span.kind, Kind::Consumer);
    assert_eq!(span.status, Status::Error("poison message".to_owned()));
    assert_eq!(
        span.attributes,
        [("count".to_owned(), Value::Int(2))].into()
    );
}

#[derive(Debug)]
struct Failure(&'static str, Option<Box<Failure>>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

fn failure() -> Failure {
    Failure(
        "no answer",
        Some(Box::new(Failure("connection refused", None))),
    )
}

#[test]
fn a_failure_is_an_exception_with_its_causes() {
    let spans = recorded(|_| {
        info_span!("call").in_scope(|| {
            let error = failure();
            tracing::error!(error = &error as &dyn Error, attempt = 3, "no stock");
        });
        info_span!("known", error.type = "timeout").in_scope(|| {
            tracing::error!(error = "late");
        });
        info_span!("named").in_scope(|| {
            tracing::error!(error = "late", error.type = "refused");
        });
        info_span!("well", otel.status_code = "ok").in_scope(|| {
            tracing::error!(error = "overcome");
        });
    });
    let call = spans.named("call");
    assert_eq!(call.status, Status::Error("no answer".to_owned()));
    assert_eq!(call.text("error.type"), Some("_OTHER"));
    let exception = call.event("exception");
    assert!((call.start_nanos..=call.end_nanos).contains(&exception.at_nanos));
    assert_eq!(exception.text("exception.message"), Some("no answer"));
    assert_eq!(
        exception.text("exception.stacktrace"),
        Some("no answer\nCaused by: connection refused")
    );
    assert_eq!(exception.text("message"), Some("no stock"));
    assert_eq!(exception.attributes["attempt"], Value::Int(3));
    assert_eq!(spans.named("known").text("error.type"), Some("timeout"));
    assert_eq!(spans.named("named").text("error.type"), Some("refused"));
    assert_eq!(spans.named("well").status, Status::Ok, "well is final");
}

#[test]
fn events_are_logs_unless_they_are_asked_for() {
    let work = |_: &Telemetry| {
        info_span!("work").in_scope(|| {
            tracing::error!(lost = 2, "spilled");
            tracing::warn!("low");
            tracing::info!("fine");
        });
    };
    assert!(recorded(work).named("work").events.is_empty());
    let own = Own::new(Limits::default(), 1.0);
    let spans = own.within(SpanLayer::new().with_events(Level::WARN), work);
    let span = spans.named("work");
    assert_eq!(span.events.len(), 2);
    assert_eq!(span.status, Status::Unset);
    let spilled = span.event("spilled");
    assert_eq!(spilled.text("level"), Some("ERROR"));
    assert_eq!(spilled.attributes["lost"], Value::Int(2));
    assert_eq!(span.event("low").text("level"), Some("WARN"));
}

#[test]
fn limits_are_kept_and_what_is_missing_is_counted() {
    let mut limits = Limits::default();
    limits.attribute_count = 2;
    limits.attribute_value_length = Some(2);
    limits.event_count = 1;
    limits.link_count = 1;
    limits.event_attribute_count = 2;
    let layer = SpanLayer::new().with_events(Level::INFO);
    let spans = Own::new(limits, 1.0).within(layer, |_| {
        let (one, two) = (info_span!("one"), info_span!("two"));
        let span = info_span!("full", a = "äöü", b = ?vec![1; 1000], c = 3);
        span.record("a", "new");
        span.follows_from(&one);
        span.follows_from(&two);
        span.in_scope(|| {
            tracing::info!(a = "äöü", b = 2, c = 3, "first");
            tracing::info!("second");
        });
    });
    let full = spans.named("full");
    let cut = [("a", "ne"), ("b", "[1")].map(|(k, v)| (k.to_owned(), Value::from(v)));
    assert_eq!(full.attributes, cut.into());
    assert_eq!(full.dropped_attributes, 1);
    assert!(full.links_to(spans.named("one")) && full.links.len() == 1);
    assert_eq!(full.dropped_links, 1);
    assert_eq!(full.dropped_events, 1);
    let first = full.event("first");
    assert_eq!(
        (first.text("level"), first.text("a")),
        (Some("IN"), Some("äö"))
    );
    assert_eq!(first.dropped_attributes, 2);
}

#[test]
fn where_in_the_code_is_said_on_request() {
    let own = Own::new(Limits::default(), 1.0);
    let line = i64::from(line!()) + 1;
    let spans = own.within(SpanLayer::new().with_code(), |_| drop(info_span!("here")));
    let here = spans.named("here");
    assert_eq!(here.text("code.file.path"), Some(file!()));
    assert_eq!(here.number("code.line.number"), Some(line));
}

/// A value that logs an error, makes a span and records a field of its own span when it is
/// written (github.com/tokio-rs/tracing-opentelemetry, issues 59, 250 and 251).
struct Talkative;

impl fmt::Debug for Talkative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::Span::current().record("late", 1);
        tracing::error!(error = "from within", "talking");
        drop(info_span!("from within"));
        f.write_str("talkative")
    }
}

#[test]
fn values_may_log_while_they_are_written() {
    let (done, finished) = std::sync::mpsc::channel();
    // A deadlock has to fail the test, not to hold it up.
    std::thread::spawn(move || {
        let spans = recorded(|_| {
            let empty = tracing::field::Empty;
            let span = info_span!("span", value = ?Talkative, again = empty, late = empty);
            span.in_scope(|| {
                span.record("again", tracing::field::debug(Talkative));
                tracing::error!(error = ?Talkative, other = ?Talkative);
                let other = info_span!("other");
                other.follows_from(&other);
            });
        });
        done.send(spans)
    });
    let spans = finished
        .recv_timeout(std::time::Duration::from_secs(20))
        .expect("locked up");
    let span = spans.named("span");
    assert_eq!(span.text("value"), Some("talkative"));
    assert_eq!(span.text("again"), Some("talkative"));
    assert_eq!(span.number("late"), Some(1));
    // One from a value that was recorded; `tracing` itself drops what is logged within an event.
    let exceptions = span.events.iter().filter(|e| e.name == "exception");
    assert_eq!(exceptions.count(), 2);
}

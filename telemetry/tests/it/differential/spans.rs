//! The same spans of the OpenTelemetry API through the SDK's batch processor and exporter, and
//! through our processor: one provider has both.

use super::official::{self, INSTANCE, apart};
use super::reasons::SPANS;
use super::table::{Found, Half};
use super::{Facts, Sent, about, about_resource, about_scope, any, spans, text};
use crate::receiver::receiver;
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SdkTracer;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use telemetry::{Service, Settings, Telemetry};

/// A span with something of its own; it ends when it is dropped.
type Case = (&'static str, fn(&SdkTracer));

const CASES: &[Case] = &[
    ("name", |tracer| drop(tracer.start("name"))),
    ("no name", |tracer| drop(tracer.start(""))),
    ("internal", |tracer| of_kind(tracer, SpanKind::Internal)),
    ("server", |tracer| of_kind(tracer, SpanKind::Server)),
    ("client", |tracer| of_kind(tracer, SpanKind::Client)),
    ("producer", |tracer| of_kind(tracer, SpanKind::Producer)),
    ("consumer", |tracer| of_kind(tracer, SpanKind::Consumer)),
    ("times", |tracer| {
        let start = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789);
        let mut span = tracer
            .span_builder("times")
            .with_start_time(start)
            .start(tracer);
        span.end_with_timestamp(start + Duration::from_nanos(7));
    }),
    ("end before start", |tracer| {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(2);
        let mut span = tracer
            .span_builder("times")
            .with_start_time(start)
            .start(tracer);
        span.end_with_timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    }),
    ("attributes", |tracer| {
        let mut span = tracer.start("attributes");
        span.set_attributes(attributes());
    }),
    ("unicode", |tracer| {
        let mut span = tracer.start("naïve 日本語 \u{1f980}");
        span.set_attribute(KeyValue::new("日本語", "\u{0}\u{1f980}\n"));
    }),
    ("one key twice", |tracer| {
        let mut span = tracer.start("one key twice");
        span.set_attribute(KeyValue::new("key", 1));
        span.set_attribute(KeyValue::new("other", 2));
        span.set_attribute(KeyValue::new("key", "last"));
    }),
    ("an empty key", |tracer| {
        tracer
            .start("an empty key")
            .set_attribute(KeyValue::new("", 1));
    }),
    ("too many attributes", |tracer| {
        let mut span = tracer.start("too many attributes");
        for at in 0..150 {
            span.set_attribute(KeyValue::new(format!("key {at}"), at));
        }
    }),
    ("events", |tracer| {
        let mut span = tracer.start("events");
        let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_001);
        span.add_event_with_timestamp("event", at, attributes());
        span.add_event_with_timestamp("", at, Vec::new());
    }),
    ("an error", |tracer| {
        let mut span = tracer.start("an error");
        span.record_error(&std::io::Error::other("torn"));
    }),
    ("too many events", |tracer| {
        let mut span = tracer.start("too many events");
        for at in 0..150 {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
            span.add_event_with_timestamp(format!("event {at}"), time, Vec::new());
        }
    }),
    ("too many attributes of an event", |tracer| {
        let mut span = tracer.start("too many attributes of an event");
        let all = (0..150)
            .map(|at| KeyValue::new(format!("key {at}"), at))
            .collect();
        span.add_event_with_timestamp("event", SystemTime::UNIX_EPOCH, all);
    }),
    ("links", |tracer| {
        let links = vec![
            Link::new(context(1, false), attributes(), 0),
            Link::new(context(0, true), Vec::new(), 3),
        ];
        drop(tracer.span_builder("links").with_links(links).start(tracer));
    }),
    ("too many links", |tracer| {
        let mut span = tracer.start("too many links");
        for _ in 0..150 {
            span.add_link(context(1, true), Vec::new());
        }
    }),
    ("ok", |tracer| {
        tracer.start("ok").set_status(Status::Ok);
    }),
    ("failed", |tracer| {
        tracer
            .start("failed")
            .set_status(Status::error("it is broken"));
    }),
    ("failed without a word", |tracer| {
        tracer.start("failed").set_status(Status::error(""));
    }),
    ("child", |tracer| {
        let parent = Context::new().with_span(tracer.start("child"));
        drop(tracer.start_with_context("child", &parent));
    }),
    ("child of a caller", |tracer| {
        let parent = Context::new().with_remote_span_context(context(1, true));
        drop(tracer.start_with_context("child of a caller", &parent));
    }),
    ("child of a caller who does not record", |tracer| {
        let parent = Context::new().with_remote_span_context(context(0, true));
        drop(tracer.start_with_context("child of a caller", &parent));
    }),
];

fn of_kind(tracer: &SdkTracer, kind: SpanKind) {
    drop(tracer.span_builder("kind").with_kind(kind).start(tracer));
}

fn context(flags: u8, remote: bool) -> SpanContext {
    SpanContext::new(
        TraceId::from(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c),
        SpanId::from(0xb7ad_6b71_6920_3331),
        TraceFlags::new(flags),
        remote,
        TraceState::from_key_value([("a", "1"), ("b", "2")]).unwrap(),
    )
}

/// Every type there is, at its edges.
fn attributes() -> Vec<KeyValue> {
    let texts = ["a", "", "é"].map(StringValue::from).to_vec();
    let values: [Value; 19] = [
        true.into(),
        false.into(),
        0.into(),
        i64::MIN.into(),
        i64::MAX.into(),
        0.0.into(),
        (-0.0).into(),
        f64::MAX.into(),
        f64::NAN.into(),
        f64::INFINITY.into(),
        "".into(),
        "text".into(),
        "x".repeat(10_000).into(),
        Value::Array(Array::Bool(vec![true, false])),
        Value::Array(Array::I64(vec![1, -1, i64::MIN])),
        Value::Array(Array::F64(vec![1.5, f64::NEG_INFINITY])),
        Value::Array(Array::String(texts)),
        Value::Array(Array::String(Vec::new())),
        Value::Array(Array::I64(Vec::new())),
    ];
    let named = values.into_iter().enumerate();
    named
        .map(|(at, value)| KeyValue::new(format!("key {at}"), value))
        .collect()
}

#[tokio::test]
async fn spans_of_the_api_arrive_as_the_sdk_sends_them_but_for_a_list() {
    let mut found = Found::default();
    for (name, make) in CASES {
        let (address, theirs) = receiver().await;
        let (our_address, ours) = receiver().await;
        let settings = Settings::from_vars(|name| {
            (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| our_address.clone())
        });
        let telemetry = Telemetry::builder(Service::new("shop", "1.0.0").instance_id(INSTANCE))
            .settings(settings.unwrap())
            .without_subscriber()
            .build()
            .unwrap();
        let processor = telemetry.span_processor();
        let add = |builder: opentelemetry_sdk::trace::TracerProviderBuilder| {
            builder.with_span_processor(processor)
        };
        let provider = official::tracer_provider(&address, add).await;
        let scope = InstrumentationScope::builder("library")
            .with_version("2")
            .with_schema_url("https://example.org/schema")
            .with_attributes([KeyValue::new("pool", 3)]);
        make(&provider.tracer_with_scope(scope.build()));
        apart(move || provider.shutdown().unwrap()).await;
        let report = telemetry.shutdown(Duration::from_secs(5)).await;
        assert!(report.is_complete(), "{report}");

        let (theirs, ours) = (by_id(spans(&theirs)), by_id(spans(&ours)));
        assert!(theirs.keys().eq(ours.keys()), "{name}: other spans arrived");
        for (id, official) in &theirs {
            found.compare(name, &facts(official), &facts(&ours[id]));
        }
    }
    found.check(Half::Spans, SPANS);
}

fn by_id(spans: Vec<Sent>) -> BTreeMap<Vec<u8>, Sent> {
    let by_id = spans
        .into_iter()
        .map(|sent| (sent.span.span_id.clone(), sent));
    by_id.collect()
}

/// All that is said about a span.
fn facts(sent: &Sent) -> Facts {
    let mut facts = Facts::new();
    about_resource(&mut facts, &sent.resource, &sent.resource_schema);
    about_scope(&mut facts, &sent.scope, &sent.scope_schema);
    let span = &sent.span;
    let order: Vec<&str> = span.attributes.iter().map(|pair| &*pair.key).collect();
    let status = span.status.clone().unwrap_or_default();
    for (what, value) in [
        ("name", text(&span.name)),
        ("kind", span.kind().as_str_name().to_owned()),
        ("trace id", format!("{:02x?}", span.trace_id)),
        ("parent", format!("{:02x?}", span.parent_span_id)),
        ("tracestate", text(&span.trace_state)),
        ("flags", format!("{:#x}", span.flags)),
        ("start", span.start_time_unix_nano.to_string()),
        ("end", span.end_time_unix_nano.to_string()),
        ("status", status.code().as_str_name().to_owned()),
        ("status message", text(&status.message)),
        ("order of attributes", format!("{order:?}")),
        (
            "dropped attributes",
            span.dropped_attributes_count.to_string(),
        ),
        ("events", span.events.len().to_string()),
        ("dropped events", span.dropped_events_count.to_string()),
        ("links", span.links.len().to_string()),
        ("dropped links", span.dropped_links_count.to_string()),
    ] {
        facts.insert(what.to_owned(), value);
    }
    repeatable(&mut facts, "attribute", &span.attributes);
    for (at, event) in span.events.iter().enumerate() {
        let dropped = event.dropped_attributes_count;
        let (time, name) = (event.time_unix_nano, &event.name);
        facts.insert(
            format!("event {at}"),
            format!("{name:?} at {time}, {dropped} dropped"),
        );
        about(
            &mut facts,
            &format!("event {at} attribute"),
            &event.attributes,
        );
    }
    for (at, link) in span.links.iter().enumerate() {
        let dropped = link.dropped_attributes_count;
        let ids = format!("{:02x?} {:02x?}", link.trace_id, link.span_id);
        let state = format!("{:?} {:#x}", link.trace_state, link.flags);
        facts.insert(
            format!("link {at}"),
            format!("{ids} {state}, {dropped} dropped"),
        );
        about(
            &mut facts,
            &format!("link {at} attribute"),
            &link.attributes,
        );
    }
    facts
}

/// The SDK sends a key as often as it was set.
fn repeatable(
    facts: &mut Facts,
    what: &str,
    attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue],
) {
    for pair in attributes {
        let values = facts.entry(format!("{what} {}", pair.key)).or_default();
        if !values.is_empty() {
            values.push_str(", ");
        }
        values.push_str(&any(pair.value.as_ref()));
    }
}

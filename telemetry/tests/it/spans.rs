//! The `tracing` layer, span by span: what its fields and events say, where it belongs, and what
//! programs do to spans besides entering and leaving them.

use crate::instrument::{call, subscribed};
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use std::error::Error;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use telemetry::settings::{Limits, Settings};
use telemetry::testing::{Collector, Kind, Span, Status, Tree, Value};
use telemetry::{Baggage, Service, SpanLayer, Telemetry, context};
use tracing::{Dispatch, Instrument, Level, dispatcher, info_span};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

/// A service whose spans come from a subscriber of the test's own.
struct Own {
    telemetry: Telemetry,
    collector: Collector,
    /// What `tracing` remembers of each place in the code is shared by the process's dispatchers.
    _alone: MutexGuard<'static, ()>,
}

impl Own {
    fn new(limits: Limits, ratio: f64) -> Own {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let collector = Collector::new();
        let ratio = ratio.to_string();
        let mut settings = Settings::from_vars(|name| match name {
            "OTEL_TRACES_SAMPLER" => Some("parentbased_traceidratio".to_owned()),
            "OTEL_TRACES_SAMPLER_ARG" => Some(ratio.clone()),
            _ => None,
        })
        .unwrap();
        settings.limits = limits;
        let telemetry = Telemetry::builder(Service::new("work", "0.0.0"))
            .settings(settings)
            .exporter(collector.exporter())
            .without_subscriber()
            .build()
            .unwrap();
        Own {
            telemetry,
            collector,
            _alone: alone,
        }
    }

    fn within(self, layer: SpanLayer, work: impl FnOnce(&Telemetry)) -> Spans {
        let layer = layer.with_root(&self.telemetry).build();
        let dispatch = Dispatch::new(Registry::default().with(layer));
        dispatcher::with_default(&dispatch, || work(&self.telemetry));
        drop(dispatch);
        Spans(futures_util::FutureExt::now_or_never(self.collector.spans()).unwrap())
    }
}

struct Spans(Vec<Span>);

impl Spans {
    #[track_caller]
    fn named(&self, name: &str) -> &Span {
        let mut named = self.0.iter().filter(|span| span.name == name);
        let span = named.next().expect(name);
        assert!(named.next().is_none(), "several spans {name}");
        span
    }
}

fn recorded(work: impl FnOnce(&Telemetry)) -> Spans {
    Own::new(Limits::default(), 1.0).within(SpanLayer::new(), work)
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

#[test]
fn libraries_spans_are_recorded_on_request() {
    let own = Own::new(Limits::default(), 1.0);
    let spans = own.within(SpanLayer::new().with_level(Level::DEBUG), |_| {
        let _frame = tracing::debug_span!("frame").entered();
        assert!(tracing::trace_span!("byte").is_disabled());
    });
    assert_eq!(spans.named("frame").name, "frame");
}

#[test]
fn outside_any_context_a_span_begins_a_trace() {
    let spans = recorded(|_| {
        let _sweep = info_span!("sweep").entered();
        let _table = info_span!("table").entered();
        info_span!(parent: None, "unrelated").in_scope(|| drop(info_span!("below")));
    });
    let sweep = spans.named("sweep");
    assert_eq!((sweep.kind, sweep.parent_span_id), (Kind::Internal, None));
    assert_eq!(spans.named("table").parent_span_id, Some(sweep.span_id));
    let unrelated = spans.named("unrelated");
    assert_ne!(unrelated.trace_id, sweep.trace_id);
    assert_eq!(unrelated.parent_span_id, None);
    assert_eq!(spans.named("below").parent_span_id, Some(unrelated.span_id));
}

#[test]
fn a_trace_that_begins_here_is_the_samplers_to_take() {
    let layer = SpanLayer::new().deciding_for_all();
    let spans = Own::new(Limits::default(), 0.0).within(layer, |_| {
        let root = info_span!("root").entered();
        let seen = context::current().unwrap();
        assert!(seen.trace_id.is_valid() && !seen.flags.is_sampled());
        assert!(info_span!("below").is_disabled(), "never even made");
        drop(root);
        assert_eq!(context::current(), None);
    });
    assert!(spans.0.is_empty());
}

#[test]
fn outside_any_request_a_span_nests_under_the_opentelemetry_api() {
    let layer = SpanLayer::new().deciding_for_all();
    let spans = Own::new(Limits::default(), 1.0).within(layer, |telemetry| {
        let tracer = telemetry.tracer_provider().tracer("library");
        tracer.in_span("api", |_| drop(info_span!("ours")));
        let unsampled = opentelemetry::trace::SpanContext::new(
            1_u128.into(),
            2_u64.into(),
            opentelemetry::trace::TraceFlags::NOT_SAMPLED,
            false,
            opentelemetry::trace::TraceState::NONE,
        );
        let _attached = opentelemetry::Context::new()
            .with_remote_span_context(unsampled)
            .attach();
        assert!(info_span!("dropped").is_disabled());
    });
    Tree::one(spans.0).assert_shape("work api\n  work ours");
}

#[test]
fn spans_move_between_threads_and_live_on_several() {
    let spans = recorded(|_| {
        let span = info_span!("shared");
        let dispatch = dispatcher::get_default(Clone::clone);
        let both = Barrier::new(2);
        let inside = || {
            dispatcher::with_default(&dispatch, || {
                let _entered = span.enter();
                both.wait();
                let seen = context::current().unwrap();
                drop(info_span!("below"));
                both.wait();
                seen
            })
        };
        std::thread::scope(|scope| {
            let one = scope.spawn(inside);
            let two = scope.spawn(inside);
            assert_eq!(one.join().unwrap(), two.join().unwrap());
        });
        let moved = info_span!("moved");
        std::thread::spawn(move || {
            moved.in_scope(|| assert!(context::current().is_some()));
            assert_eq!(context::current(), None);
        })
        .join()
        .unwrap();
        assert_eq!(context::current(), None);
    });
    let shared = spans.named("shared").span_id;
    let below = spans.0.iter().filter(|span| span.name == "below");
    assert!(
        below
            .clone()
            .all(|span| span.parent_span_id == Some(shared))
    );
    assert_eq!(below.count(), 2);
    assert_eq!(spans.named("moved").parent_span_id, None);
}

#[test]
fn spans_may_be_entered_twice_and_left_in_any_order() {
    let spans = recorded(|_| {
        let ids = || context::current().map(|current| current.span_id);
        let (one, two, none) = (info_span!("one"), info_span!("two"), tracing::Span::none());
        let a = one.enter();
        let one_id = ids();
        let b = two.enter();
        let two_id = ids();
        let nothing = none.enter();
        let c = one.enter();
        assert_eq!(ids(), one_id);
        drop(c);
        assert_eq!(ids(), two_id);
        drop(a);
        drop(nothing);
        assert_eq!(ids(), two_id);
        drop(b);
        assert_eq!(ids(), None);
    });
    assert_eq!(spans.0.len(), 2);
}

#[test]
fn a_panic_leaves_no_span_behind() {
    let spans = recorded(|_| {
        let outer = info_span!("outer").entered();
        let before = context::current();
        let boom = async { panic!("boom") }.instrument(info_span!("inner"));
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| {
            futures_util::FutureExt::now_or_never(boom)
        }));
        assert!(caught.is_err());
        assert_eq!(context::current(), before);
        drop(outer);
        assert_eq!(context::current(), None);
    });
    let outer = spans.named("outer").span_id;
    assert_eq!(spans.named("inner").parent_span_id, Some(outer));
}

/// The ids of two subscribers' spans are the same, and their layers share the thread.
#[test]
fn dispatchers_do_not_mix_up_spans() {
    let spans = recorded(|telemetry| {
        let other = Dispatch::new(Registry::default().with(telemetry.layer()));
        let ids = || context::current().map(|current| current.span_id);
        let outer = info_span!("outer");
        let first = outer.enter();
        let outer_id = ids();
        let inner = dispatcher::with_default(&other, || info_span!("inner"));
        assert_eq!(outer.id(), inner.id(), "the ids differ: a test of nothing");
        let second = inner.enter();
        let inner_id = ids();
        assert_ne!(outer_id, inner_id);
        drop(first);
        assert_eq!(ids(), inner_id);
        drop(second);
        assert_eq!(ids(), None);
    });
    Tree::one(spans.0).assert_shape("work outer\n  work inner");
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

/// Other layers' filters decide for themselves (tracing-opentelemetry, issue 86).
#[test]
fn filters_of_other_layers_change_nothing() {
    let own = Own::new(Limits::default(), 1.0);
    let everything = tracing_subscriber::fmt::layer()
        .with_writer(std::io::sink)
        .with_filter(tracing_subscriber::filter::LevelFilter::TRACE);
    let nothing = tracing_subscriber::fmt::layer()
        .with_writer(std::io::sink)
        .with_filter(tracing_subscriber::filter::LevelFilter::OFF);
    let dispatch = Dispatch::new(
        Registry::default()
            .with(everything)
            .with(own.telemetry.layer())
            .with(nothing),
    );
    dispatcher::with_default(&dispatch, || {
        let outer = info_span!("outer").entered();
        let hidden = tracing::debug_span!("hidden");
        assert!(!hidden.is_disabled(), "a test of nothing");
        let _entered = hidden.enter();
        let inner = info_span!("inner").entered();
        drop(info_span!(parent: &hidden, "named"));
        inner.follows_from(&hidden);
        hidden.record("nothing", 1);
        tracing::error!(parent: &hidden, error = "unheard");
        tracing::error!(parent: &outer, error = "heard");
    });
    drop(dispatch);
    let spans = futures_util::FutureExt::now_or_never(own.collector.spans()).unwrap();
    let tree = Tree::one(spans);
    tree.assert_shape("work outer\n  work inner\n    work named");
    assert_eq!(tree.span("outer").events.len(), 1);
    assert!(tree.span("inner").events.is_empty());
}

#[tokio::test]
async fn unrecorded_a_span_is_not_even_made() {
    let (telemetry, collector) = subscribed("work");
    telemetry
        .untraced(async {
            let before = context::current();
            let span = info_span!("span", costly = ?Panics);
            assert!(span.is_disabled());
            async { assert_eq!(context::current(), before) }
                .instrument(span)
                .await;
        })
        .await;
    assert!(collector.spans().await.is_empty());
}

#[test]
fn a_layer_that_decides_for_itself_leaves_spans_to_others() {
    let own = Own::new(Limits::default(), 0.0);
    let spans = own.within(SpanLayer::new(), |_| {
        let root = info_span!("root").entered();
        let within = context::current();
        let span = info_span!("for others", costly = ?Panics);
        assert!(!span.is_disabled());
        span.in_scope(|| assert_eq!(context::current(), within));
        drop(root);
        assert_eq!(context::current(), None);
    });
    assert!(spans.0.is_empty());
}

/// Shows that it is never written.
struct Panics;

impl fmt::Debug for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("written although nothing is recorded")
    }
}

#[tokio::test]
async fn baggage_travels_with_a_span_that_is_not_recorded() {
    let (telemetry, collector) = subscribed("work");
    let task = telemetry.untraced(async {
        let baggage = Baggage::EMPTY.with("tenant", "seven");
        let request = context::with_baggage(baggage, async {
            let seen = async { (context::current(), context::baggage()) };
            let task = seen.instrument(info_span!("task", costly = ?Panics));
            (context::current(), tokio::spawn(task).await.unwrap())
        });
        request.await
    });
    let (before, (within, baggage)) = task.await;
    assert_eq!(before, within);
    assert_eq!(baggage.get("tenant"), Some("seven"));
    assert!(collector.spans().await.is_empty());
}

#[tokio::test]
async fn a_span_left_open_at_the_end_of_its_request_still_ends() {
    let (telemetry, collector) = subscribed("work");
    call(&telemetry, || async {
        let span = info_span!("background");
        std::thread::spawn(move || drop(span)).join().unwrap();
    })
    .await;
    Tree::one(collector.spans().await).assert_shape("work GET /work\n  work background");
}

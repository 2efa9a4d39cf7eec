//! Where a span belongs: its trace and its parent, and whether it is recorded at all.

use super::{Own, recorded};
use crate::instrument::subscribed;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use std::fmt;
use telemetry::settings::Limits;
use telemetry::testing::{Kind, Tree};
use telemetry::{Baggage, SpanLayer, context};
use tracing::{Dispatch, Instrument, Level, dispatcher, info_span};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

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

//! Spans made by hand.

use crate::collected;
use crate::instrument::subscribed;
use opentelemetry::trace::{FutureExt, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Array, Context, Value as ApiValue};
use std::time::{Duration, Instant};
use telemetry::context::{SpanId, TraceFlags, TraceId, TraceState};
use telemetry::testing::{self, Tree, Value};
use telemetry::{AttributeValue, Kind, SpanContext, Status, context};
use tracing::Instrument;

fn caller(flags: u8) -> SpanContext {
    SpanContext {
        trace_id: TraceId(7),
        span_id: SpanId(8),
        flags: TraceFlags(flags),
        tracestate: TraceState::parse("city=1"),
    }
}

#[tokio::test]
async fn they_nest_with_every_other_kind_of_span() {
    let (telemetry, collector) = subscribed("work");
    let tracer = telemetry.tracer_provider().tracer("library");
    let outer = telemetry.span("outer").start();
    let all = async {
        tokio::task::yield_now().await;
        let instrumented = tracing::info_span!("instrumented");
        async {
            let api = tracer.start("api");
            async { telemetry.span("inner").start().end() }
                .with_context(Context::current_with_span(api))
                .await;
        }
        .instrument(instrumented)
        .await;
        let sync = telemetry.span("sync").start();
        let scope = sync.enter();
        assert_eq!(context::current(), Some(sync.context()));
        tracer.in_span("api in sync", |_| {});
        drop(scope);
        assert_eq!(context::current(), Some(outer.context()));
    };
    outer.in_scope(all).await;
    assert_eq!(context::current(), None);
    drop(outer);
    Tree::one(collector.spans().await).assert_shape(
        "work outer
           work instrumented
             work api
               work inner
           work sync
             work api in sync",
    );
}

#[tokio::test]
async fn all_that_is_said_is_sent() {
    let (telemetry, collector) = collected("work");
    let other = caller(1);
    let began = Instant::now() - Duration::from_secs(60);
    let mut span = telemetry
        .span(String::from("made"))
        .kind(Kind::Producer)
        .began(began)
        .start()
        .with_attribute("text", "old");
    assert!(span.is_recording());
    span.set_attribute("text", "new");
    span.set_attribute("owned", format!("{}", 1));
    span.set_attribute("yes", true);
    span.set_attribute("small", 3_u8);
    span.set_attribute("large", u64::MAX);
    span.set_attribute("half", 0.5);
    let list = ApiValue::Array(Array::I64(vec![1, 2]));
    span.set_attribute("list", &list);
    span.add_event("happened", [("at", AttributeValue::from("noon"))]);
    span.add_link(&other, [("why", "because".into())]);
    span.add_link(&SpanContext::default(), []);
    span.set_name("renamed");
    let sent = span.context();
    span.end();

    let tree = Tree::one(collector.spans().await);
    let span = tree.span("renamed");
    assert_eq!((span.trace_id, span.span_id), (sent.trace_id, sent.span_id));
    assert_eq!(span.kind, testing::Kind::Producer);
    assert!(span.duration() >= Duration::from_secs(60));
    let expected = [
        ("half", Value::Double(0.5)),
        ("large", u64::MAX.to_string().as_str().into()),
        ("list", Value::Array(vec![1.into(), 2.into()])),
        ("owned", "1".into()),
        ("small", 3.into()),
        ("text", "new".into()),
        ("yes", true.into()),
    ];
    let attributes = span.attributes.iter();
    let attributes: Vec<_> = attributes
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    assert_eq!(attributes, expected);
    assert_eq!(span.events.len(), 1);
    assert_eq!(span.events[0].name, "happened");
    assert_eq!(span.events[0].attributes["at"], "noon".into());
    assert!((span.start_nanos..=span.end_nanos).contains(&span.events[0].at_nanos));
    assert_eq!(span.links.len(), 1, "an invalid link says nothing");
    assert_eq!(span.links[0].span_id, other.span_id);
    assert_eq!(span.links[0].attributes["why"], "because".into());
    assert_eq!(span.status, testing::Status::Unset);
    assert_eq!(telemetry.counts().produced, 1);
}

#[tokio::test]
async fn the_parent_is_what_the_builder_is_told() {
    let (telemetry, collector) = collected("work");
    let (near, far) = (caller(1), caller(1));
    let around = telemetry.span("around").start();
    {
        let _scope = around.enter();
        telemetry.span("child").start().end();
        telemetry.span("of near").parent(&near).start().end();
        telemetry.span("of far").remote_parent(&far).start().end();
        telemetry.span("root").root().start().end();
        telemetry
            .span("of none")
            .parent(&SpanContext::default())
            .start()
            .end();
    }
    let trace_id = around.context().trace_id;
    let parent = Some(around.context().span_id);
    drop(around);
    let spans = collector.spans().await;
    let get = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!(
        (get("child").trace_id, get("child").parent_span_id),
        (trace_id, parent)
    );
    for (name, flags) in [("of near", 0x101), ("of far", 0x301)] {
        let span = get(name);
        assert_eq!(span.trace_id, TraceId(7));
        assert_eq!(span.parent_span_id, Some(SpanId(8)));
        assert_eq!(span.flags, flags, "{name}");
        assert_eq!(span.trace_state, "city=1");
    }
    for name in ["root", "of none"] {
        assert_eq!(get(name).parent_span_id, None);
        assert_ne!(get(name).trace_id, trace_id);
    }
}

#[tokio::test]
async fn errors_and_status_are_the_conventions() {
    #[derive(Debug, thiserror::Error)]
    #[error("out of stock")]
    struct OutOfStock;
    let (telemetry, collector) = collected("work");
    let mut span = telemetry.span("failed").start();
    span.record_error(&OutOfStock);
    let unnamed: Box<dyn std::error::Error> = Box::new(OutOfStock);
    span.record_error(&*unnamed);
    span.set_error("out_of_stock");
    drop(span);
    let mut span = telemetry.span("well").start();
    span.set_status(Status::Error("for now".into()));
    span.set_status(Status::Ok);
    span.set_status(Status::Error("too late".into()));
    drop(span);
    let mut span = telemetry.span("said").start();
    span.set_status(Status::Error("why".into()));
    span.set_status(Status::Unset);
    drop(span);

    let spans = collector.spans().await;
    let failed = &spans[0];
    assert_eq!(failed.text("error.type"), Some("out_of_stock"));
    let texts = |at: usize| {
        let text = |key| {
            failed.events[at]
                .attributes
                .get(key)
                .and_then(Value::as_str)
        };
        (text("exception.type"), text("exception.message"))
    };
    assert_eq!(failed.events[0].name, "exception");
    let (kind, message) = texts(0);
    assert!(
        kind.is_some_and(|kind| kind.ends_with("::OutOfStock")),
        "{kind:?}"
    );
    assert_eq!(message, Some("out of stock"));
    assert_eq!(texts(1), (None, Some("out of stock")));
    let statuses: Vec<_> = spans.iter().map(|span| span.status.clone()).collect();
    let error = |why: &str| testing::Status::Error(why.to_owned());
    assert_eq!(statuses, [error(""), testing::Status::Ok, error("why")]);
}

#[tokio::test]
async fn one_that_is_not_recorded_says_nothing_and_passes_the_context_on() {
    let (telemetry, collector) = collected("work");
    let unsampled = caller(0);
    let mut span = telemetry.span("quiet").remote_parent(&unsampled).start();
    assert!(!span.is_recording());
    let never = std::iter::from_fn(|| -> Option<(&str, AttributeValue<'_>)> { unreachable!() });
    span.add_event("event", never.clone());
    span.add_link(&caller(1), never);
    span.set_error("failed");
    assert_eq!(
        span.context(),
        unsampled,
        "what is not recorded needs no name"
    );
    span.in_scope(async {
        assert_eq!(context::current(), Some(unsampled.clone()));
        telemetry.span("child").start().end();
    })
    .await;
    drop(span);
    assert_eq!(collector.spans().await, []);
    assert_eq!(telemetry.counts().produced, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_span_may_end_on_another_thread_than_it_began() {
    let (telemetry, collector) = collected("work");
    let span = telemetry.span("moved").start();
    let task = span.in_scope(async {
        tokio::task::yield_now().await;
        context::current()
    });
    let inside = tokio::spawn(task).await.unwrap();
    assert_eq!(inside, Some(span.context()));
    std::thread::spawn(move || drop(span)).join().unwrap();
    assert_eq!(Tree::one(collector.spans().await).root().name, "moved");
}

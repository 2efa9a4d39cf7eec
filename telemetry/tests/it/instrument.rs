//! Spans of `#[tracing::instrument]` and of the OpenTelemetry API, among each other and ours.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use opentelemetry::trace::{
    FutureExt, Status as OtelStatus, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Array, Context, KeyValue, Value as OtelValue};
use telemetry::testing::{Collector, Kind, Status, Tree};
use telemetry::{Service, Telemetry, context};
use tower::ServiceExt;
use tracing::Instrument;

/// With the process's subscriber, which all tests of this binary share.
pub(crate) fn subscribed(name: &str) -> (Telemetry, Collector) {
    let collector = Collector::new();
    let telemetry = Telemetry::builder(Service::new(name, "0.0.0"))
        .exporter(collector.exporter())
        .log_filter("off")
        .build()
        .unwrap();
    (telemetry, collector)
}

pub(crate) async fn call<F, T>(telemetry: &Telemetry, handler: fn() -> F)
where
    F: Future<Output = T> + Send + 'static,
    T: axum::response::IntoResponse + 'static,
{
    let app = Router::new()
        .route("/work", get(handler))
        .layer(telemetry.server_layer());
    app.oneshot(Request::get("/work").body(Body::empty()).unwrap())
        .await
        .unwrap();
}

#[tracing::instrument(skip_all, fields(item = 7, price = 1.5, open = true, late))]
async fn outer() {
    tracing::Span::current().record("late", "now");
    let seen = context::current().unwrap();
    inner(seen.span_id.to_string()).await;
    assert_eq!(context::current().unwrap(), seen);
}

#[tracing::instrument]
async fn inner(parent: String) {
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn instrumented_functions_are_child_spans() {
    let (telemetry, collector) = subscribed("work");
    call(&telemetry, outer).await;
    let tree = Tree::one(collector.spans().await);
    tree.assert_shape("work GET /work\n  work outer\n    work inner");
    let outer = tree.span("outer");
    assert_eq!(outer.kind, Kind::Internal);
    assert_eq!(outer.number("item"), Some(7));
    assert_eq!(
        outer.attributes["price"],
        telemetry::testing::Value::Double(1.5)
    );
    assert_eq!(
        outer.attributes["open"],
        telemetry::testing::Value::Bool(true)
    );
    assert_eq!(outer.text("late"), Some("now"));
    let parent = tree
        .span("inner")
        .text("parent")
        .unwrap()
        .trim_matches('"')
        .to_owned();
    assert_eq!(
        parent,
        outer.span_id.to_string(),
        "the current context is the span's"
    );
}

#[tracing::instrument(err)]
async fn fails() -> Result<(), std::num::ParseIntError> {
    "x".parse::<u8>().map(drop)
}

#[tokio::test]
async fn special_fields_and_errors() {
    let (telemetry, collector) = subscribed("work");
    call(&telemetry, || async {
        let span = tracing::info_span!("send", otel.name = "orders send", otel.kind = "producer");
        async {}.instrument(span).await;
        fails().await.is_ok().to_string()
    })
    .await;
    let tree = Tree::one(collector.spans().await);
    assert_eq!(tree.span("orders send").kind, Kind::Producer);
    let description = "invalid digit found in string";
    let failed = tree.span("fails");
    assert_eq!(failed.status, Status::Error(description.to_owned()));
    assert_eq!(failed.text("error.type"), Some("_OTHER"));
    let exception = failed.event("exception");
    assert_eq!(exception.text("exception.message"), Some(description));
}

#[tokio::test]
async fn a_span_of_a_spawned_task_belongs_to_where_it_was_made() {
    let (telemetry, collector) = subscribed("work");
    call(&telemetry, || async {
        let task = async { inner(String::new()).await };
        tokio::spawn(task.instrument(tracing::info_span!("task")))
            .await
            .unwrap();
    })
    .await;
    let tree = Tree::one(collector.spans().await);
    tree.assert_shape("work GET /work\n  work task\n    work inner");
}

#[tokio::test]
async fn spans_may_be_left_out_of_order() {
    let (telemetry, collector) = subscribed("work");
    call(&telemetry, || async {
        // The span made last is entered in another way than those made before.
        let span = || tracing::info_span!("span");
        let (one, two) = (span(), span());
        leave_out_of_order(&one, || two);
        let (two, one) = (span(), span());
        leave_out_of_order(&one, || two);
        leave_out_of_order(&span(), span);
    })
    .await;
    let _ = Tree::one(collector.spans().await);
}

fn leave_out_of_order(one: &tracing::Span, two: impl FnOnce() -> tracing::Span) {
    let current = || context::current().unwrap().span_id;
    let before = current();
    let first = one.enter();
    let two = two();
    let second = two.enter();
    let deep = current();
    drop(first);
    assert_eq!(current(), deep);
    drop(second);
    assert_eq!(current(), before);
}

#[tokio::test]
async fn below_info_nothing_is_recorded() {
    let (telemetry, collector) = subscribed("work");
    call(&telemetry, || async {
        let _frame = tracing::debug_span!("frame").entered();
    })
    .await;
    assert_eq!(collector.spans().await.len(), 1);
}

#[tokio::test]
async fn with_several_services_in_a_process_a_span_outside_requests_is_nobodys() {
    let (_orders, at_orders) = subscribed("orders");
    let (_stock, at_stock) = subscribed("stock");
    inner(String::new()).await;
    assert!(at_orders.spans().await.is_empty());
    assert!(at_stock.spans().await.is_empty());
}

#[tokio::test]
async fn a_trace_that_is_not_recorded_has_no_child_spans() {
    let (telemetry, collector) = subscribed("work");
    let app = Router::new()
        .route("/work", get(outer))
        .layer(telemetry.server_layer());
    let request = Request::get("/work").header(
        "traceparent",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    );
    app.oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert!(collector.spans().await.is_empty());
}

#[tokio::test]
async fn the_opentelemetry_api_nests_both_ways() {
    let (telemetry, collector) = subscribed("work");
    let tracer = telemetry.tracer_provider().tracer("library");
    let app = Router::new()
        .route(
            "/work",
            get(move || async move {
                let attributes = vec![
                    KeyValue::new("count", 3),
                    KeyValue::new("tags", OtelValue::Array(Array::String(vec!["a".into()]))),
                ];
                let span = tracer
                    .span_builder("api")
                    .with_attributes(attributes)
                    .start(&tracer);
                let cx = Context::current_with_span(span);
                inner(String::new()).with_context(cx.clone()).await;
                cx.span()
                    .add_event("happened", vec![KeyValue::new("what", "it")]);
                cx.span().set_status(OtelStatus::error("went wrong"));
                cx.span().end();
                async {
                    tracer.in_span("api in instrument", |_| {});
                }
                .instrument(tracing::info_span!("instrumented"))
                .await;
            }),
        )
        .layer(telemetry.server_layer());
    app.oneshot(Request::get("/work").body(Body::empty()).unwrap())
        .await
        .unwrap();
    let tree = Tree::one(collector.spans().await);
    tree.assert_shape(
        "work GET /work
           work api
             work inner
           work instrumented
             work api in instrument",
    );
    let api = tree.span("api");
    assert_eq!(api.scope, "library");
    assert_eq!(api.number("count"), Some(3));
    assert_eq!(api.status, Status::Error("went wrong".to_owned()));
    assert_eq!(api.events[0].name, "happened");
    let counts = telemetry.counts();
    assert_eq!((counts.produced, counts.exported), (5, 5));
}

#[tokio::test]
async fn a_trace_may_begin_with_the_opentelemetry_api() {
    let (telemetry, collector) = subscribed("work");
    let tracer = telemetry.tracer_provider().tracer("library");
    let client = telemetry.client(reqwest::Client::new());
    let span = tracer.start("sweep");
    let dead = crate::nobody();
    let call = client.get(format!("http://{dead}/")).send();
    assert!(
        call.with_context(Context::current_with_span(span))
            .await
            .is_err()
    );
    Tree::one(collector.spans().await).assert_shape("work sweep\n  work GET");
}

#[tokio::test]
async fn what_the_opentelemetry_context_holds_stays_in_it() {
    #[derive(Debug, PartialEq)]
    struct Tenant(u8);
    let (telemetry, _collector) = subscribed("work");
    call(&telemetry, || async {
        async {
            assert_eq!(
                Context::map_current(|cx| cx.get::<Tenant>().map(|t| t.0)),
                Some(7)
            );
        }
        .instrument(tracing::info_span!("outside"))
        .with_context(Context::current_with_value(Tenant(7)))
        .await;
        let held = async {
            let span = tracing::info_span!("inside");
            span.in_scope(|| Context::map_current(|cx| cx.get::<Tenant>().map(|t| t.0)))
        };
        assert_eq!(
            held.with_context(Context::current_with_value(Tenant(9)))
                .await,
            Some(9)
        );
    })
    .await;
}

/// A question about one event must not decide about the next span.
#[tokio::test]
async fn asking_whether_something_is_enabled_loses_no_span() {
    let (telemetry, collector) = subscribed("work");
    call(&telemetry, || async {
        for _ in 0..3 {
            assert!(!tracing::enabled!(tracing::Level::TRACE));
            inner(String::new()).await;
        }
    })
    .await;
    assert_eq!(collector.spans().await.len(), 4);
}

/// The first to ask for a provider may do so in the middle of a request.
#[tokio::test]
async fn a_provider_that_is_asked_for_late_still_finds_its_parent() {
    let (telemetry, collector) = subscribed("orders");
    let handler = |telemetry: Telemetry| async move {
        for name in ["first", "second"] {
            let tracer = telemetry.tracer_provider().tracer("library");
            drop(tracer.start(name));
            tokio::task::yield_now().await;
        }
    };
    let inner = telemetry.clone();
    let app = Router::new()
        .route("/", get(move || handler(inner)))
        .layer(telemetry.server_layer());
    let request = Request::get("/").body(Body::empty()).unwrap();
    app.oneshot(request).await.unwrap();
    let tree = Tree::one(collector.wait_for(|spans| spans.len() == 3).await);
    tree.assert_edge("GET /", "first");
    tree.assert_edge("GET /", "second");
}

//! Evaluations of feature flags, in traces and in the log.

use crate::instrument::subscribed;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use opentelemetry::Context;
use opentelemetry::trace::{FutureExt, TraceContextExt, Tracer, TracerProvider};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use telemetry::feature_flag::{Evaluation, Reason};
use telemetry::testing::{Event, Tree};
use tower::ServiceExt;
use tracing::Instrument;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};

fn said(event: &Event) -> Vec<String> {
    assert_eq!(event.name, "feature_flag.evaluation");
    let attributes = event.attributes.iter();
    let text = attributes.map(|(key, value)| match value.as_str() {
        Some(text) => format!("{key}={text}"),
        None => format!("{key}={value:?}"),
    });
    text.collect()
}

#[tokio::test]
async fn what_is_evaluated_is_an_event_of_the_current_span() {
    let (telemetry, collector) = subscribed("shop");
    let tracer = telemetry.tracer_provider().tracer("library");
    let app = Router::new().route(
        "/page",
        get(move || async move {
            Evaluation::of("in-server").variant("on").emit();
            async { Evaluation::of("in-instrumented").emit() }
                .instrument(tracing::info_span!("instrumented"))
                .await;
            let api = Context::current_with_span(tracer.start("api"));
            async { Evaluation::of("in-api").value(3).emit() }
                .with_context(api)
                .await;
            Evaluation::of("in-server-again").emit();
        }),
    );
    let app = app.layer(telemetry.server_layer());
    let request = Request::get("/page").body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap();
    let quiet = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let request = Request::get("/page").header("traceparent", quiet);
    app.oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    Evaluation::of("outside").emit();

    let tree = Tree::one(collector.spans().await);
    let server = &tree.span("GET /page").events;
    assert_eq!(server.len(), 2);
    let expected = [
        "feature_flag.key=in-server",
        "feature_flag.result.variant=on",
    ];
    assert_eq!(said(&server[0]), expected);
    assert_eq!(said(&server[1]), ["feature_flag.key=in-server-again"]);
    let inner = &tree.span("instrumented").events;
    assert_eq!(said(&inner[0]), ["feature_flag.key=in-instrumented"]);
    let api = &tree.span("api").events;
    let expected = [
        "feature_flag.key=in-api",
        "feature_flag.result.value=Int(3)",
    ];
    assert_eq!(said(&api[0]), expected);
}

#[tokio::test]
async fn attributes_are_the_conventions() {
    let (telemetry, collector) = subscribed("shop");
    let base = || Evaluation::of("page");
    let cases: [(Evaluation<'_>, &[&str]); 6] = [
        (base(), &[]),
        // A value is told only where it has no name.
        (
            base().variant("red").value("#f00"),
            &["feature_flag.result.variant=red"],
        ),
        (
            base().value(true),
            &["feature_flag.result.value=Bool(true)"],
        ),
        (
            base()
                .provider("city")
                .context_id("ada")
                .set_id("web")
                .version("7"),
            &[
                "feature_flag.context.id=ada",
                "feature_flag.provider.name=city",
                "feature_flag.set.id=web",
                "feature_flag.version=7",
            ],
        ),
        (
            base().error("flag_not_found"),
            &[
                "error.type=flag_not_found",
                "feature_flag.result.reason=error",
            ],
        ),
        (
            base().error_with("general", "no rules yet"),
            &[
                "error.message=no rules yet",
                "error.type=general",
                "feature_flag.result.reason=error",
            ],
        ),
    ];
    let span = telemetry.span("all").start();
    let scope = span.enter();
    let mut expected = Vec::new();
    for (evaluation, attributes) in cases {
        evaluation.emit();
        let mut all = vec!["feature_flag.key=page"];
        all.extend(attributes);
        all.sort_unstable();
        expected.push(all);
    }
    let reasons = [
        (Reason::Cached, "cached"),
        (Reason::Default, "default"),
        (Reason::Disabled, "disabled"),
        (Reason::Error, "error"),
        (Reason::Split, "split"),
        (Reason::Stale, "stale"),
        (Reason::Static, "static"),
        (Reason::TargetingMatch, "targeting_match"),
        (Reason::Unknown, "unknown"),
    ];
    for (reason, _) in reasons {
        base().reason(reason).emit();
    }
    drop(scope);
    drop(span);
    let spans = collector.spans().await;
    let events: Vec<_> = spans[0].events.iter().map(said).collect();
    assert_eq!(events[..expected.len()], expected);
    for (event, (_, reason)) in events[expected.len()..].iter().zip(reasons) {
        assert_eq!(event[1], format!("feature_flag.result.reason={reason}"));
    }
    assert_eq!(events.len(), expected.len() + reasons.len());
}

type Fields = BTreeMap<String, String>;

/// Keeps level, target, name and fields of each event.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<(String, Fields)>>>);

impl<S: tracing::Subscriber> Layer<S> for Heard {
    fn on_event(&self, event: &tracing::Event<'_>, _context: LayerContext<'_, S>) {
        struct Read(Fields);
        impl Visit for Read {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.0.insert(field.name().to_owned(), format!("{value:?}"));
            }
        }
        let mut fields = Read(Fields::new());
        event.record(&mut fields);
        let metadata = event.metadata();
        let name = format!(
            "{} {} {}",
            metadata.level(),
            metadata.target(),
            metadata.name()
        );
        self.0.lock().unwrap().push((name, fields.0));
    }
}

#[test]
fn the_log_gets_an_event_of_that_name() {
    let heard = Heard::default();
    let subscriber = tracing_subscriber::registry().with(heard.clone());
    tracing::subscriber::with_default(subscriber, || {
        Evaluation::of("page")
            .value(7)
            .error_with("general", "no rules")
            .emit();
    });
    let heard = heard.0.lock().unwrap();
    let [(name, fields)] = &heard[..] else {
        panic!("not one event: {heard:?}")
    };
    assert_eq!(name, "DEBUG feature_flag feature_flag.evaluation");
    let fields: Vec<_> = fields
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let expected = [
        "error.message=\"no rules\"",
        "error.type=\"general\"",
        "feature_flag.key=\"page\"",
        "feature_flag.result.reason=\"error\"",
        "feature_flag.result.value=\"7\"",
    ];
    assert_eq!(fields, expected);
}

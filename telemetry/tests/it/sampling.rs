//! Which requests become traces, seen from outside.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::routing::get;
use http_body_util::BodyExt;
use opentelemetry::trace::{Span as _, Tracer, TracerProvider};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use telemetry::context::{Propagator, Propagators};
use telemetry::sampling::{ParentBased, Ratio, Route, Rule, Sampler};
use telemetry::testing::Collector;
use telemetry::{Service, Settings, Telemetry, context};
use tower::ServiceExt;

/// Taken by half of all, and the other way round: by the last 56 bits.
const HIGH: &str = "00-0af7651916cd43dd84f0000000000000-b7ad6b7169203331";
const LOW: &str = "00-0af7651916cd43dd8410000000000000-b7ad6b7169203331";

fn sampled_by(sampler: Sampler, propagators: Propagators) -> (Telemetry, Collector) {
    let collector = Collector::new();
    let settings = Settings {
        sampler,
        propagators,
        ..Settings::default()
    };
    let telemetry = Telemetry::builder(Service::new("sampled", "0.0.0"))
        .settings(settings)
        .exporter(collector.exporter())
        .without_subscriber()
        .build()
        .unwrap();
    (telemetry, collector)
}

fn ratio(ratio: &str) -> Sampler {
    Sampler::Ratio(ratio.parse().unwrap())
}

/// A service whose answer is what it would send on.
fn app(telemetry: &Telemetry) -> Router {
    let handler = || async {
        let mut sent = BTreeMap::new();
        context::inject_current(&mut sent);
        serde_json::to_string(&sent).unwrap()
    };
    Router::new()
        .route("/orders/{id}", get(handler).post(handler))
        .route("/healthz", get(handler))
        .layer(telemetry.server_layer())
}

async fn ask(
    telemetry: &Telemetry,
    (method, path): (Method, &str),
    headers: &[(&'static str, &str)],
) -> BTreeMap<String, String> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let answer = app(telemetry).oneshot(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

const ORDER: (Method, &str) = (Method::GET, "/orders/7");

#[tokio::test]
async fn a_ratio_decides_and_says_how() {
    let (telemetry, collector) = sampled_by(ratio("0.5"), Propagators::W3C);
    let high = format!("{HIGH}-02");
    let state = ("tracestate", "a=1,ot=th:c");
    let sent = ask(&telemetry, ORDER, &[("traceparent", &high), state]).await;
    assert!(sent["traceparent"].ends_with("-03"));
    assert_eq!(sent["tracestate"], "ot=th:8,a=1");
    let low = format!("{LOW}-03");
    let sent = ask(&telemetry, ORDER, &[("traceparent", &low), state]).await;
    assert!(sent["traceparent"].ends_with("-02"));
    assert_eq!(sent["tracestate"], "a=1");
    let spans = collector.spans().await;
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].trace_state, "ot=th:8,a=1");
    assert_eq!(spans[0].flags, 0x303);
}

#[tokio::test]
async fn rules_are_for_routes_and_methods() {
    let rules = [
        Rule {
            route: Route::Is("/healthz".to_owned()),
            method: None,
            ratio: Ratio::NONE,
        },
        Rule {
            route: Route::StartsWith("/orders/".to_owned()),
            method: Some(Method::POST),
            ratio: Ratio::ALL,
        },
    ];
    let sampler = Sampler::parent_based(Sampler::AlwaysOff.unless(rules));
    let (telemetry, collector) = sampled_by(sampler, Propagators::W3C);
    ask(&telemetry, (Method::GET, "/healthz"), &[]).await;
    ask(&telemetry, ORDER, &[]).await;
    let sent = ask(&telemetry, (Method::POST, "/orders/7"), &[]).await;
    assert_eq!(sent["tracestate"], "ot=th:0");
    let spans = collector.spans().await;
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["POST /orders/{id}"]);
}

#[tokio::test]
async fn a_limit_is_no_probability() {
    let limit = NonZeroU32::new(3).unwrap();
    let sampler = Sampler::parent_based(ratio("1").limited(limit));
    let (telemetry, collector) = sampled_by(sampler, Propagators::W3C);
    let begun = std::time::Instant::now();
    for _ in 0..50 {
        let sent = ask(&telemetry, ORDER, &[]).await;
        assert_eq!(sent.get("tracestate"), None);
    }
    let allowed = 3 + 1 + begun.elapsed().as_secs() as usize * 3;
    let spans = collector.spans().await.len();
    assert!((3..=allowed).contains(&spans), "{spans} of {allowed}");
}

#[tokio::test]
async fn the_sampler_changes_without_a_restart() {
    let (telemetry, collector) = sampled_by(Sampler::default(), Propagators::W3C);
    ask(&telemetry, ORDER, &[]).await;
    telemetry.set_sampler(&Sampler::parent_based(Sampler::AlwaysOff));
    ask(&telemetry, ORDER, &[]).await;
    assert_eq!(collector.spans().await.len(), 1);
    telemetry.set_sampler(&Sampler::default());
    ask(&telemetry, ORDER, &[]).await;
    assert_eq!(collector.spans().await.len(), 2);
}

#[tokio::test]
async fn the_opentelemetry_api_s_spans_are_decided_alike() {
    let (telemetry, collector) = sampled_by(Sampler::default(), Propagators::W3C);
    let tracer = telemetry.tracer_provider().tracer("t");
    telemetry.set_sampler(&Sampler::AlwaysOff);
    tracer.start("none").end();
    telemetry.set_sampler(&ratio("1"));
    tracer.start("all").end();
    let healthz = Rule {
        route: Route::Is("healthz".to_owned()),
        method: None,
        ratio: Ratio::NONE,
    };
    telemetry.set_sampler(&Sampler::AlwaysOn.unless([healthz]));
    tracer.start("healthz").end();
    let spans = collector.spans().await;
    let seen: Vec<_> = spans
        .iter()
        .map(|span| (span.name.as_str(), span.trace_state.as_str()))
        .collect();
    assert_eq!(seen, [("all", "ot=th:0")]);
}

/// Spans within a process follow their parent, unless the sampler has a branch for them.
#[tokio::test]
async fn local_branches_are_asked_for_client_and_api_spans() {
    let branches = ParentBased {
        root: Sampler::AlwaysOn,
        remote_sampled: None,
        remote_not_sampled: None,
        local_sampled: Some(Sampler::AlwaysOff),
        local_not_sampled: None,
    };
    let sampler = Sampler::ParentBased(Box::new(branches));
    let (telemetry, collector) = sampled_by(sampler, Propagators::W3C);
    let child = |telemetry: Telemetry| async move {
        let tracer = telemetry.tracer_provider().tracer("t");
        tracer.start("child").end();
    };
    let inner = telemetry.clone();
    let app = Router::new()
        .route("/", get(move || child(inner)))
        .layer(telemetry.server_layer());
    let request = || Request::get("/").body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(request()).await.unwrap();
    answer.into_body().collect().await.unwrap();
    assert_eq!(collector.spans().await.len(), 1, "the server's alone");
    telemetry.set_sampler(&Sampler::default());
    let answer = app.oneshot(request()).await.unwrap();
    answer.into_body().collect().await.unwrap();
    assert_eq!(collector.spans().await.len(), 3, "with its child");
}

#[tokio::test]
async fn other_formats_come_in_and_go_out() {
    let all: Propagators = Propagator::ALL.into_iter().collect();
    let (telemetry, collector) = sampled_by(Sampler::default(), all);
    let (trace, span) = ("0af7651916cd43dd84f0000000000000", "b7ad6b7169203331");
    let b3 = format!("{trace}-{span}-d");
    let headers = [
        ("b3", b3.as_str()),
        ("uberctx-user", "eve"),
        ("baggage", "a=1"),
    ];
    let sent = ask(&telemetry, ORDER, &headers).await;
    let id = collector.spans().await[0].span_id.to_string();
    for (name, value) in [
        ("b3", format!("{trace}-{id}-d")),
        ("x-b3-flags", "1".to_owned()),
        ("traceparent", format!("00-{trace}-{id}-01")),
        ("uber-trace-id", format!("{trace}:{id}:0:03")),
        (
            "x-amzn-trace-id",
            format!("Root=1-0af76519-16cd43dd84f0000000000000;Parent={id};Sampled=1"),
        ),
        ("ot-tracer-traceid", "84f0000000000000".to_owned()),
        ("baggage", "a=1,user=eve".to_owned()),
        ("uberctx-a", "1".to_owned()),
        ("ot-baggage-user", "eve".to_owned()),
    ] {
        assert_eq!(sent[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_caller_may_decide_without_a_trace_of_its_own() {
    let b3 = Propagators::NONE.and(Propagator::B3);
    let (telemetry, collector) = sampled_by(Sampler::default(), b3);
    let sent = ask(&telemetry, ORDER, &[("b3", "0")]).await;
    assert!(sent["b3"].ends_with("-0"));
    let sent = ask(&telemetry, ORDER, &[("x-b3-sampled", "1")]).await;
    assert!(sent["b3"].ends_with("-1"));
    let spans = collector.spans().await;
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].parent_span_id, None);
    assert_eq!(
        spans[0].flags, 0x103,
        "a random id, and no parent elsewhere"
    );
}

//! Requests to the same router behind the official instrumentation for tower and behind ours.

use super::official::{self, INSTANCE, apart};
use super::reasons::REQUESTS;
use super::table::{Found, Half};
use super::{Facts, Sent, about, about_histogram, about_resource, about_scope, spans, text};
use crate::receiver::receiver;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, Version};
use axum::routing::get;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use opentelemetry::global;
use opentelemetry_instrumentation_tower::http::server::Layer;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use telemetry::{Service, Settings, Telemetry};
use tower::ServiceExt;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

struct Case {
    name: &'static str,
    method: &'static str,
    uri: &'static str,
    version: Version,
    headers: &'static [(&'static str, &'static str)],
}

const fn case(name: &'static str, uri: &'static str) -> Case {
    Case {
        name,
        method: "GET",
        uri,
        version: Version::HTTP_11,
        headers: &[("host", "shop.example")],
    }
}

impl Case {
    const fn method(self, method: &'static str) -> Case {
        Case { method, ..self }
    }

    const fn version(self, version: Version) -> Case {
        Case { version, ..self }
    }

    const fn headers(self, headers: &'static [(&'static str, &'static str)]) -> Case {
        Case { headers, ..self }
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::builder()
            .method(Method::from_bytes(self.method.as_bytes()).unwrap())
            .uri(self.uri)
            .version(self.version);
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }
}

const CASES: [Case; 18] = [
    case("plain", "/items/7").headers(&[("host", "shop.example"), ("user-agent", "test/1")]),
    case("query", "/items/7?a=1&b="),
    case("secrets", "/items/7?sig=c0ffee&X-Amz-Signature=c0ffee&a=1"),
    case("access token", "/items/7?access_token=c0ffee"),
    case("unknown method", "/any").method("PURGE"),
    case("no route", "/nowhere"),
    case("not found", "/missing/7"),
    case("failure", "/broken"),
    case("sampled parent", "/items/7")
        .headers(&[("host", "shop.example"), ("traceparent", PARENT)]),
    case("unsampled parent", "/items/7")
        .headers(&[("host", "shop.example"), ("traceparent", UNSAMPLED)]),
    case("tracestate", "/items/7").headers(&[
        ("host", "shop.example"),
        ("traceparent", PARENT),
        ("tracestate", "a=1,b=2"),
    ]),
    case("IPv6 host", "/items/7").headers(&[("host", "[2001:db8::1]:8443")]),
    case("behind a proxy", "/items/7").headers(&[
        ("host", "10.0.0.1:8080"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "https"),
    ]),
    case("HTTP/1.0", "/items/7").version(Version::HTTP_10),
    case("HTTP/2", "http://shop.example/items/7")
        .version(Version::HTTP_2)
        .headers(&[]),
    case("absolute form", "https://shop.example:8443/items/7"),
    case("panic", "/panic"),
    case("dropped", "/never"),
];

fn router() -> Router {
    Router::new()
        .route("/items/{id}", get(|| async { "an item" }))
        .route("/any", axum::routing::any(|| async { "whatever" }))
        .route("/missing/{id}", get(|| async { StatusCode::NOT_FOUND }))
        .route(
            "/broken",
            get(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
        )
        .route(
            "/panic",
            get(|| async { panic!("on purpose") as StatusCode }),
        )
        .route("/never", get(std::future::pending::<StatusCode>))
}

/// To the end of the answer, to the panic, or until the client goes away.
async fn ask(app: Router, request: Request<Body>) {
    let answer = async move {
        let answer = app.oneshot(request).await.unwrap();
        answer.into_body().collect().await.unwrap();
    };
    let mut answer = Box::pin(AssertUnwindSafe(answer).catch_unwind());
    // The routes have nothing to wait for, or wait for ever.
    let _ = futures_util::poll!(&mut answer);
}

async fn official(case: &Case) -> Facts {
    let (address, requests) = receiver().await;
    let traces = official::tracer_provider(&address, |builder| builder).await;
    let metrics = official::meter_provider(&address).await;
    global::set_tracer_provider(traces.clone());
    global::set_meter_provider(metrics.clone());
    global::set_text_map_propagator(TraceContextPropagator::new());
    ask(router().layer(Layer::new()), case.request()).await;
    apart(move || {
        traces.shutdown().unwrap();
        metrics.shutdown().unwrap();
    })
    .await;
    facts(&spans(&requests), |facts| {
        about_histogram(facts, &requests, "http.server.request.duration");
    })
}

async fn ours(case: &Case) -> Facts {
    let (address, requests) = receiver().await;
    let settings = Settings::from_vars(|name| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(address.clone()),
        "OTEL_METRICS_EXPORTER" => Some("otlp".to_owned()),
        _ => None,
    });
    let telemetry = Telemetry::builder(Service::new("shop", "1.0.0").instance_id(INSTANCE))
        .settings(settings.unwrap())
        .without_subscriber()
        .build()
        .unwrap();
    ask(router().layer(telemetry.server_layer()), case.request()).await;
    let report = telemetry.shutdown(Duration::from_secs(5)).await;
    assert!(report.is_complete(), "{report}");
    facts(&spans(&requests), |facts| {
        about_histogram(facts, &requests, "http.server.request.duration");
    })
}

/// All that is said about a request. Ids that are made up and times are as they may be.
fn facts(spans: &[Sent], metrics: impl Fn(&mut Facts)) -> Facts {
    let mut facts = Facts::new();
    metrics(&mut facts);
    assert!(spans.len() <= 1, "{spans:#?}");
    facts.insert("spans".to_owned(), spans.len().to_string());
    let Some(sent) = spans.first() else {
        return facts;
    };
    about_resource(&mut facts, &sent.resource, &sent.resource_schema);
    about_scope(&mut facts, &sent.scope, &sent.scope_schema);
    let span = &sent.span;
    about(&mut facts, "attribute", &span.attributes);
    let parent = match &span.parent_span_id[..] {
        [] => "none".to_owned(),
        parent => format!("{parent:02x?} in {:02x?}", span.trace_id),
    };
    let status = span.status.clone().unwrap_or_default();
    assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    assert!(span.start_time_unix_nano > 0);
    for (what, value) in [
        ("name", text(&span.name)),
        ("kind", span.kind().as_str_name().to_owned()),
        ("parent", parent),
        ("tracestate", text(&span.trace_state)),
        ("flags", format!("{:#x}", span.flags)),
        ("status", status.code().as_str_name().to_owned()),
        ("status message", text(&status.message)),
        ("events", span.events.len().to_string()),
        ("links", span.links.len().to_string()),
        (
            "dropped attributes",
            span.dropped_attributes_count.to_string(),
        ),
    ] {
        facts.insert(what.to_owned(), value);
    }
    facts
}

#[tokio::test]
async fn requests_are_told_as_the_official_instrumentation_tells_them_but_for_a_list() {
    let mut found = Found::default();
    for case in &CASES {
        let (official, mut ours) = (official(case).await, ours(case).await);
        if official["metric"] == "0 series" && ours["metric"] == "1 series" {
            // There is nothing to compare its parts with.
            ours.retain(|what, _| !what.starts_with("metric "));
        }
        found.compare(case.name, &official, &ours);
    }
    found.check(Half::Requests, REQUESTS);
}

//! The core as the gateway uses it: no tower, no runtime.

use crate::collected;
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version};
use telemetry::context::{self, Baggage, TraceState};
use telemetry::http::{ClientRequest, ServerRequest, ServerSpan, Trust};
use telemetry::testing::{Kind, Tree};
use telemetry::{Service, Settings, Telemetry};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn start(telemetry: &Telemetry, headers: &HeaderMap, trust: Trust) -> ServerSpan {
    telemetry.edge().start(&ServerRequest {
        method: &Method::GET,
        uri: &Uri::from_static("/api/products?a=1"),
        version: Version::HTTP_2,
        headers,
        peer: None,
        scheme: "https",
        route: None,
        trust,
    })
}

fn caller() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", TRACEPARENT.parse().unwrap());
    headers.insert("tracestate", "a=1".parse().unwrap());
    headers.insert("baggage", "user=eve".parse().unwrap());
    headers.insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
    headers
}

fn client_request(uri: &Uri) -> ClientRequest<'_> {
    ClientRequest {
        method: &Method::GET,
        server_address: "catalog",
        server_port: 4711,
        uri,
        resend_count: 1,
    }
}

#[tokio::test]
async fn a_stranger_s_context_is_a_link_and_decides_nothing() {
    let (telemetry, collector) = collected("gateway");
    for flags in ["-00", "-01"] {
        let mut headers = caller();
        headers.insert(
            "traceparent",
            TRACEPARENT.replace("-01", flags).parse().unwrap(),
        );
        let mut span = start(&telemetry, &headers, Trust::Link);
        span.set_route("/api/products");
        assert_ne!(
            span.context().trace_id.to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(span.context().tracestate, TraceState::NONE);
        {
            let _scope = span.scope();
            assert!(context::baggage().is_empty());
        }
        span.status(StatusCode::OK);
        span.finish();
    }
    let spans = collector.spans().await;
    assert_eq!(spans.len(), 2, "recorded whatever the stranger says");
    for span in spans {
        assert_eq!(span.name, "GET /api/products");
        assert_eq!(span.parent_span_id, None);
        assert_eq!(span.links.len(), 1);
        assert_eq!(
            span.links[0].trace_id.to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(span.links[0].span_id.to_string(), "b7ad6b7169203331");
        assert_eq!(
            span.text("client.address"),
            None,
            "a stranger may say anything"
        );
        assert_eq!(span.text("url.scheme"), Some("https"));
        assert_eq!(span.text("network.protocol.version"), Some("2"));
    }
}

#[tokio::test]
async fn a_request_that_goes_out_is_a_child_and_carries_everything() {
    let (telemetry, collector) = collected("gateway");
    let server = start(&telemetry, &caller(), Trust::Parent);
    let uri = Uri::from_static("/products?sig=SECRET");
    let client = server.client(&client_request(&uri));
    let mut headers = HeaderMap::new();
    client.inject(&mut headers);
    let sent = context::extract(&headers).unwrap();
    assert_eq!(sent, client.context());
    assert_eq!(sent.trace_id, server.context().trace_id);
    assert_eq!(headers["tracestate"], "a=1");
    assert_eq!(headers["baggage"], "user=eve");
    client.finish(Ok(StatusCode::NOT_FOUND));
    drop(server.client(&client_request(&uri)));
    server
        .client(&client_request(&uri))
        .finish(Err("connection_refused"));
    drop(server);

    let spans = collector.spans().await;
    let parent = context::extract(&caller()).unwrap().span_id;
    let tree = Tree::under(parent, spans);
    let clients = tree.children(tree.root().span_id);
    let errors: Vec<_> = clients
        .iter()
        .map(|span| span.text("error.type").unwrap())
        .collect();
    assert_eq!(errors, ["404", "cancelled", "connection_refused"]);
    let first = clients[0];
    assert_eq!(first.span_id, sent.span_id);
    assert_eq!((first.name.as_str(), first.kind), ("GET", Kind::Client));
    assert_eq!(
        first.text("url.full"),
        Some("http://catalog:4711/products?sig=REDACTED")
    );
    assert_eq!(first.text("server.address"), Some("catalog"));
    assert_eq!(first.number("server.port"), Some(4711));
    assert_eq!(first.number("http.request.resend_count"), Some(1));
    assert_eq!(first.number("http.response.status_code"), Some(404));
    assert!(clients.iter().all(|span| span.is_error()));
}

#[tokio::test]
async fn a_scope_is_current_until_dropped_and_can_nest() {
    let (telemetry, _collector) = collected("gateway");
    let outer = start(&telemetry, &HeaderMap::new(), Trust::Link);
    let inner = start(&telemetry, &HeaderMap::new(), Trust::Link);
    let now = || context::current().map(|context| context.span_id);
    assert_eq!(now(), None);
    {
        let _outer = outer.scope();
        assert_eq!(now(), Some(outer.context().span_id));
        {
            let _inner = inner.scope();
            assert_eq!(now(), Some(inner.context().span_id));
        }
        assert_eq!(now(), Some(outer.context().span_id));
    }
    assert_eq!(now(), None);
}

#[tokio::test]
async fn a_spawned_task_keeps_its_context_and_baggage() {
    let (telemetry, _collector) = collected("gateway");
    let span = start(&telemetry, &caller(), Trust::Parent);
    let task = {
        let _scope = span.scope();
        tokio::spawn(context::in_current(async {
            tokio::task::yield_now().await;
            let mut headers = HeaderMap::new();
            context::inject_current(&mut headers);
            headers
        }))
    };
    let headers = task.await.unwrap();
    assert_eq!(context::extract(&headers), Some(span.context()));
    assert_eq!(headers["baggage"], "user=eve");
    let changed = {
        let _scope = span.scope();
        context::with_baggage(Baggage::EMPTY.with("user", "bob"), async {
            context::baggage()
        })
    };
    assert_eq!(changed.await.get("user"), Some("bob"));
}

#[tokio::test]
async fn the_sampler_decides_what_begins_here() {
    let collector = telemetry::testing::Collector::new();
    let settings = Settings::from_vars(|name| {
        (name == "OTEL_TRACES_SAMPLER").then(|| "parentbased_always_off".to_owned())
    });
    let telemetry = Telemetry::builder(Service::new("gateway", "0"))
        .settings(settings.unwrap())
        .exporter(collector.exporter())
        .without_subscriber()
        .build()
        .unwrap();
    let begun = start(&telemetry, &caller(), Trust::Link);
    assert!(!begun.context().flags.is_sampled());
    let kept = start(&telemetry, &caller(), Trust::Parent);
    assert!(kept.context().flags.is_sampled());
    drop((begun, kept));
    assert_eq!(collector.spans().await.len(), 1);
}

#[tokio::test]
async fn propagators_can_be_left_out() {
    let collector = telemetry::testing::Collector::new();
    let settings =
        Settings::from_vars(|name| (name == "OTEL_PROPAGATORS").then(|| "tracecontext".to_owned()));
    let telemetry = Telemetry::builder(Service::new("gateway", "0"))
        .settings(settings.unwrap())
        .exporter(collector.exporter())
        .without_subscriber()
        .build()
        .unwrap();
    let server = start(&telemetry, &caller(), Trust::Parent);
    let mut headers = HeaderMap::new();
    server
        .client(&client_request(&Uri::from_static("/")))
        .inject(&mut headers);
    assert!(headers.contains_key("traceparent"));
    assert!(!headers.contains_key("baggage"));
}

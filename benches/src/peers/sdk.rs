//! The SDK by hand: what a service pays that makes its own spans and one histogram with the
//! OpenTelemetry API, without a crate in between.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use anyhow::Result;
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http::header::{HOST, USER_AGENT};
use http::{HeaderMap, HeaderName};
use opentelemetry::metrics::{Histogram, MeterProvider};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context as OtelContext, KeyValue, global};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::{Sdk, meter_provider, tracer_provider};
use crate::request::{Layered, router};

/// The bounds that the semantic conventions advise.
const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

pub(crate) fn layered(per_cent: u32, sink: SocketAddr) -> Result<Layered> {
    let provider = tracer_provider(per_cent, sink)?;
    let meters = meter_provider(sink)?;
    let duration = meters
        .meter("bench")
        .f64_histogram("http.server.request.duration")
        .with_unit("s")
        .with_boundaries(BOUNDS.to_vec())
        .build();
    global::set_meter_provider(meters);
    let layer = ByHand {
        tracer: provider.tracer("bench"),
        duration,
    };
    Ok(Layered {
        router: router().layer(layer),
        pipeline: Box::new(Sdk(provider)),
    })
}

#[derive(Clone)]
struct ByHand {
    tracer: SdkTracer,
    duration: Histogram<f64>,
}

impl<S> Layer<S> for ByHand {
    type Service = ByHandService<S>;

    fn layer(&self, inner: S) -> ByHandService<S> {
        ByHandService {
            inner,
            by_hand: self.clone(),
        }
    }
}

#[derive(Clone)]
struct ByHandService<S> {
    inner: S,
    by_hand: ByHand,
}

impl<S> Service<Request> for ByHandService<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ByHandFuture<opentelemetry::trace::WithContext<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let headers = request.headers();
        let parent = TraceContextPropagator::new()
            .extract_with_context(&OtelContext::new(), &Headers(headers));
        let method = request.method().to_string();
        let matched = request.extensions().get::<MatchedPath>();
        let route = matched.map_or("", MatchedPath::as_str).to_owned();
        let text = |name: HeaderName| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let span = self
            .by_hand
            .tracer
            .span_builder(format!("{method} {route}"))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("http.request.method", method.clone()),
                KeyValue::new("http.route", route.clone()),
                KeyValue::new("url.path", request.uri().path().to_owned()),
                KeyValue::new("url.query", request.uri().query().unwrap_or("").to_owned()),
                KeyValue::new("url.scheme", "http"),
                KeyValue::new("server.address", text(HOST)),
                KeyValue::new("user_agent.original", text(USER_AGENT)),
                KeyValue::new("network.protocol.version", "1.1"),
                KeyValue::new("network.protocol.name", "http"),
            ])
            .start_with_context(&self.by_hand.tracer, &parent);
        let context = parent.with_span(span);
        ByHandFuture {
            inner: self.inner.call(request).with_context(context.clone()),
            context,
            duration: self.by_hand.duration.clone(),
            method,
            route,
            begun: Instant::now(),
        }
    }
}

pin_project! {
    struct ByHandFuture<F> {
        #[pin]
        inner: F,
        context: OtelContext,
        duration: Histogram<f64>,
        method: String,
        route: String,
        begun: Instant,
    }
}

impl<F, E> Future for ByHandFuture<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        let status = match &result {
            Ok(response) => i64::from(response.status().as_u16()),
            Err(_) => 0,
        };
        let status = KeyValue::new("http.response.status_code", status);
        this.context.span().set_attribute(status.clone());
        this.context.span().end();
        this.duration.record(
            this.begun.elapsed().as_secs_f64(),
            &[
                KeyValue::new("http.request.method", std::mem::take(this.method)),
                KeyValue::new("http.route", std::mem::take(this.route)),
                KeyValue::new("url.scheme", "http"),
                status,
            ],
        );
        Poll::Ready(result)
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

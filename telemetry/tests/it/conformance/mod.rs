//! The stable
//! [HTTP conventions](https://opentelemetry.io/docs/specs/semconv/http/) of version 1.44, rule by
//! rule: real routers behind real sockets, and what is sent of them, spans and metrics alike.

mod chosen;
mod client;
mod ends;
mod server;
mod sizes;

use crate::receiver::{Requests, of, receiver};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use futures_util::{StreamExt, stream};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use telemetry::testing::{Collector, Span};
use telemetry::{Service, Settings, Telemetry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A service on a socket, and what it sends about itself.
struct Probe {
    telemetry: Telemetry,
    collector: Collector,
    pushed: Requests,
    address: SocketAddr,
    /// A handler that will never answer has begun.
    begun: Arc<Notify>,
}

type Attributes = BTreeMap<String, String>;

impl Probe {
    async fn new() -> Probe {
        Probe::with(|_| {}).await
    }

    async fn with(choose: impl FnOnce(&mut Settings)) -> Probe {
        let (receiver, pushed) = receiver().await;
        let mut settings = Settings::from_vars(|name| match name {
            "OTEL_METRICS_EXPORTER" => Some("otlp".to_owned()),
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(receiver.clone()),
            // Far from any test's end: what is pushed is asked for.
            "OTEL_METRIC_EXPORT_INTERVAL" => Some("3600000".to_owned()),
            _ => None,
        })
        .unwrap();
        choose(&mut settings);
        let collector = Collector::new();
        let telemetry = Telemetry::builder(Service::new("probe", "0.0.0"))
            .settings(settings)
            .exporter(collector.exporter())
            .without_subscriber()
            .build()
            .unwrap();
        let begun = Arc::new(Notify::new());
        let app = router(&begun).layer(telemetry.server_layer());
        let address = serve(app).await;
        Probe {
            telemetry,
            collector,
            pushed,
            address,
            begun,
        }
    }

    /// Sends the head of a request as it is, with a line that closes the connection, and gives back
    /// what came.
    async fn send(&self, head: &str) -> String {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{head}\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// The span of the only request.
    async fn span(&self) -> Span {
        let spans = self.collector.wait_for(|spans| !spans.is_empty()).await;
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.into_iter().next().unwrap()
    }

    /// Sends a head to a service of its own, and gives back the span.
    async fn asked(head: &str) -> Span {
        let probe = Probe::new().await;
        probe.send(head).await;
        probe.span().await
    }

    /// The metrics as they are now.
    async fn metrics(&self) -> Vec<Metric> {
        self.telemetry.flush().await;
        let pushes: Vec<(_, ExportMetricsServiceRequest)> = of(&self.pushed, "metrics");
        let (_, mut last) = pushes.into_iter().last().unwrap();
        last.resource_metrics
            .remove(0)
            .scope_metrics
            .remove(0)
            .metrics
    }

    async fn points(&self, histogram: &str) -> Vec<HistogramDataPoint> {
        points(&self.metrics().await, histogram)
    }

    /// What the only request was counted under, once.
    async fn labels(&self, histogram: &str) -> Attributes {
        let points = self.points(histogram).await;
        assert_eq!(points.len(), 1, "{points:#?}");
        assert_eq!(points[0].count, 1);
        attributes(&points[0].attributes)
    }

    /// What the only request was counted under by the server, no longer being active.
    async fn served(&self) -> Attributes {
        let labels = self.labels("http.server.request.duration").await;
        for metric in self.metrics().await {
            if metric.name != "http.server.active_requests" {
                continue;
            }
            let Some(Data::Sum(active)) = metric.data else {
                panic!("no sum")
            };
            assert_eq!(active.data_points.len(), 1);
            let point = &active.data_points[0];
            assert_eq!(point.value, Some(Value::AsInt(0)), "a request is left over");
            let both = ["http.request.method", "url.scheme"];
            let of_both = |attributes: &Attributes| both.map(|key| attributes[key].clone());
            let attributes = attributes(&point.attributes);
            assert_eq!(attributes.len(), 2);
            assert_eq!(of_both(&attributes), of_both(&labels));
        }
        labels
    }
}

fn points(metrics: &[Metric], histogram: &str) -> Vec<HistogramDataPoint> {
    let found = metrics.iter().find(|metric| metric.name == histogram);
    match found.and_then(|metric| metric.data.clone()) {
        Some(Data::Histogram(histogram)) => histogram.data_points,
        None => Vec::new(),
        other => panic!("no histogram: {other:?}"),
    }
}

fn attributes(pairs: &[KeyValue]) -> Attributes {
    let text = |pair: &KeyValue| match pair.value.clone().unwrap().value.unwrap() {
        Any::StringValue(text) => text,
        // Told apart from text.
        Any::IntValue(number) => format!("int {number}"),
        other => panic!("neither text nor number: {other:?}"),
    };
    let pairs = pairs.iter().map(|pair| (pair.key.clone(), text(pair)));
    pairs.collect()
}

fn pairs(expected: &[(&str, &str)]) -> Attributes {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    expected.iter().map(owned).collect()
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn router(begun: &Arc<Notify>) -> Router {
    let nested = Router::new().route("/orders/{id}", get(|| async {}));
    Router::new()
        .route("/users/{id}", any(|| async { "Mina" }))
        .route("/status/{code}", any(status))
        .route(
            "/panic",
            get(|| async { panic!("on purpose") as StatusCode }),
        )
        .route("/never", get(never))
        .route("/stream", get(endless))
        .route("/fails", get(fails))
        .route("/echo", any(|body: Body| async { body }))
        .nest("/shop", nested)
        .with_state(Arc::clone(begun))
}

async fn status(path: axum::extract::Path<u16>) -> StatusCode {
    StatusCode::from_u16(path.0).unwrap()
}

async fn never(State(begun): State<Arc<Notify>>) -> StatusCode {
    begun.notify_one();
    std::future::pending().await
}

/// One piece, then silence.
async fn endless() -> impl IntoResponse {
    let first = stream::iter([Ok::<_, Infallible>("first")]);
    Body::from_stream(first.chain(stream::pending()))
}

async fn fails() -> impl IntoResponse {
    Body::from_stream(stream::iter([Ok("first"), Err("torn")]))
}

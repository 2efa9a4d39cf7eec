//! A collector that really listens, and decodes with the reference implementation.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::response::Builder;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::routing::post;
use axum::serve::Listener;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use telemetry::Settings;
use telemetry::settings::{Compression, Protocol};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the next requests are answered with; then all is well.
#[derive(Debug, Clone)]
pub(crate) enum Say {
    Status(u16),
    /// 503, and not before so many seconds.
    RetryAfter(u64),
    GrpcStatus(u16),
    Rejected(i64),
}

#[derive(Default)]
struct Inner {
    requests: Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>,
    answers: Mutex<VecDeque<Say>>,
    spans: watch::Sender<usize>,
    asked: AtomicUsize,
}

#[derive(Clone)]
pub(crate) struct Collector {
    inner: Arc<Inner>,
    pub(crate) address: SocketAddr,
}

impl Collector {
    pub(crate) async fn start() -> Collector {
        Self::start_on("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_on(address: SocketAddr) -> Collector {
        Self::start_behind(TcpListener::bind(address).await.unwrap())
    }

    /// Answers whoever comes through this listener.
    pub(crate) fn start_behind(listener: impl Listener<Addr = SocketAddr>) -> Collector {
        let address = listener.local_addr().unwrap();
        let inner = Arc::<Inner>::default();
        let app = Router::new()
            .route("/v1/traces", post(http))
            .route(
                "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                post(grpc),
            )
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Collector { inner, address }
    }

    pub(crate) fn settings(&self, protocol: Protocol, compression: Compression) -> Settings {
        settings(self.address, protocol, compression)
    }

    pub(crate) fn say(&self, answers: impl IntoIterator<Item = Say>) {
        self.inner.answers.lock().unwrap().extend(answers);
    }

    /// Resolves once so many spans were taken.
    pub(crate) async fn spans(&self, count: usize) {
        self.inner
            .spans
            .subscribe()
            .wait_for(|spans| *spans >= count)
            .await
            .unwrap();
    }

    /// How many requests there were, whatever became of them.
    pub(crate) fn asked(&self) -> usize {
        self.inner.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn requests(&self) -> Vec<(HeaderMap, ExportTraceServiceRequest)> {
        self.inner.requests.lock().unwrap().clone()
    }
}

pub(crate) fn settings(
    address: SocketAddr,
    protocol: Protocol,
    compression: Compression,
) -> Settings {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            match protocol {
                Protocol::HttpProtobuf => "http/protobuf".to_owned(),
                Protocol::HttpJson => "http/json".to_owned(),
                Protocol::Grpc => "grpc".to_owned(),
            },
        ),
        (
            "OTEL_EXPORTER_OTLP_COMPRESSION",
            match compression {
                Compression::None => "none".to_owned(),
                Compression::Gzip => "gzip".to_owned(),
            },
        ),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=a%20b".to_owned()),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test".to_owned(),
        ),
        ("OTEL_BSP_SCHEDULE_DELAY", "20".to_owned()),
    ];
    Settings::from_vars(|name| {
        variables
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.clone())
    })
    .unwrap()
}

impl Inner {
    fn answer(&self) -> Option<Say> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.answers.lock().unwrap().pop_front()
    }

    fn take(&self, headers: &HeaderMap, message: &[u8]) {
        let request = if headers["content-type"] == "application/json" {
            serde_json::from_slice(message).unwrap()
        } else {
            ExportTraceServiceRequest::decode(message).unwrap()
        };
        let spans: usize = request
            .resource_spans
            .iter()
            .flat_map(|r| &r.scope_spans)
            .map(|s| s.spans.len())
            .sum();
        self.requests
            .lock()
            .unwrap()
            .push((headers.clone(), request));
        self.spans.send_modify(|count| *count += spans);
    }
}

pub(crate) fn unzip(packed: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_end(&mut message)
        .unwrap();
    message
}

fn response(rejected: i64) -> Vec<u8> {
    let partial = ExportTracePartialSuccess {
        rejected_spans: rejected,
        error_message: "too old".to_owned(),
    };
    let partial_success = (rejected > 0).then_some(partial);
    ExportTraceServiceResponse { partial_success }.encode_to_vec()
}

async fn http(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let kind = headers["content-type"].clone();
    assert!(kind == "application/x-protobuf" || kind == "application/json");
    let rejected = match inner.answer() {
        Some(Say::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap();
            return Response::builder()
                .status(status)
                .body(Body::empty())
                .unwrap();
        }
        Some(Say::RetryAfter(seconds)) => {
            return Response::builder()
                .status(StatusCode::SERVICE_UNAVAILABLE)
                .header("retry-after", seconds)
                .body(Body::empty())
                .unwrap();
        }
        Some(Say::Rejected(rejected)) => rejected,
        Some(Say::GrpcStatus(_)) | None => 0,
    };
    let packed = headers
        .get("content-encoding")
        .is_some_and(|encoding| encoding == "gzip");
    let message = if packed { unzip(&body) } else { body.to_vec() };
    inner.take(&headers, &message);
    let answer = if kind == "application/json" {
        let partial = format!(r#"{{"rejectedSpans":"{rejected}","errorMessage":"too old"}}"#);
        format!(r#"{{"partialSuccess":{partial}}}"#).into_bytes()
    } else {
        response(rejected)
    };
    Response::builder()
        .header("content-type", kind)
        .body(Body::from(answer))
        .unwrap()
}

async fn grpc(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    assert_eq!(headers["content-type"], "application/grpc");
    assert_eq!(headers["te"], "trailers");
    let (status, rejected) = match inner.answer() {
        Some(Say::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap();
            return Response::builder()
                .status(status)
                .body(Body::empty())
                .unwrap();
        }
        Some(Say::GrpcStatus(status)) => (status, 0),
        Some(Say::Rejected(rejected)) => (0, rejected),
        Some(Say::RetryAfter(_)) | None => (0, 0),
    };
    let answer = Response::builder();
    if status != 0 {
        // Trailers-only.
        return answer
            .header("content-type", "application/grpc")
            .header("grpc-status", status)
            .header("grpc-message", "not now")
            .body(Body::empty())
            .unwrap();
    }
    inner.take(&headers, &unframe(&headers, &body));
    frame(answer, &response(rejected))
}

/// The message of a gRPC request.
pub(crate) fn unframe(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    let len = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
    assert_eq!(body.len(), len + 5);
    if body[0] == 0 {
        return body[5..].to_vec();
    }
    assert_eq!(headers["grpc-encoding"], "gzip");
    unzip(&body[5..])
}

/// A gRPC answer of success.
pub(crate) fn frame(answer: Builder, message: &[u8]) -> Response<Body> {
    let mut data = vec![0];
    data.extend_from_slice(&(message.len() as u32).to_be_bytes());
    data.extend_from_slice(message);
    let trailers = HeaderMap::from_iter([(
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let frames = [
        Ok::<_, Infallible>(Frame::data(Bytes::from(data))),
        Ok(Frame::trailers(trailers)),
    ];
    answer
        .header("content-type", "application/grpc")
        .body(Body::new(StreamBody::new(stream::iter(frames))))
        .unwrap()
}

//! A running observatory, and clients to send to it.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use observatory::Observatory;
use serde_json::{Value, json};
use testing::Running;
use tokio::net::TcpStream;

pub(crate) struct Sut {
    pub(crate) running: Running,
}

pub(crate) const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// What a unary call came back with.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) http: StatusCode,
    pub(crate) status: Option<u16>,
    pub(crate) message: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Sut {
    pub(crate) async fn start() -> Self {
        Self::with(json!({})).await
    }

    pub(crate) async fn with(mut settings: Value) -> Self {
        settings["otlp_grpc_listen"] = json!("127.0.0.1:0");
        settings["otlp_http_listen"] = json!("127.0.0.1:0");
        Sut {
            running: testing::start::<Observatory>(settings).await,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("{}{path}", self.running.url);
        self.running.http.get(url).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Posts to the port for OTLP over HTTP.
    pub(crate) fn post(
        &self,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.running.named_address("otlp_http"));
        let request = self.running.http.post(url);
        request
            .header("content-type", "application/x-protobuf")
            .body(body)
    }

    /// Calls a method over gRPC with one message, as it is.
    pub(crate) async fn call(&self, method: &str, message: &[u8]) -> Called {
        self.exchange(grpc_request(method, framed(0, message)))
            .await
    }

    pub(crate) async fn exchange(&self, request: Request<Full<Bytes>>) -> Called {
        let address = self.running.named_address("otlp_grpc");
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let called = collect(sender.send_request(request).await.unwrap()).await;
        drop(sender);
        connection.await.unwrap().unwrap();
        called
    }
}

pub(crate) fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut out = vec![flag];
    out.extend_from_slice(&(message.len() as u32).to_be_bytes());
    out.extend_from_slice(message);
    out.into()
}

pub(crate) fn grpc_request(method: &str, body: Bytes) -> Request<Full<Bytes>> {
    Request::post(format!("http://localhost{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(body))
        .unwrap()
}

async fn collect(response: Response<hyper::body::Incoming>) -> Called {
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let mut headers = parts.headers;
    headers.extend(collected.trailers().cloned().unwrap_or_default());
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    Called {
        http: parts.status,
        status: text("grpc-status").map(|status| status.parse().unwrap()),
        message: text("grpc-message").unwrap_or_default(),
        headers,
        body: collected.to_bytes(),
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

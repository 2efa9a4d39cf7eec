//! What each variable does, seen from outside: at a receiver, on the metrics page, on the output
//! of a process of its own. TLS is in `tls.rs`, propagators and samplers have tests beside them.

mod bounded;
mod metrics;
mod process;
mod sent;

use crate::export::span;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue as Attribute;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;
use telemetry::{InitError, Service, Settings, Telemetry};
use tokio::net::TcpListener;
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// Unpacked.
    body: Vec<u8>,
}

impl Request {
    fn spans(&self) -> Vec<Span> {
        let request = ExportTraceServiceRequest::decode(&self.body[..]).unwrap();
        let scopes = request.resource_spans.into_iter();
        let scopes = scopes.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    fn resource(&self) -> Resource {
        let request = ExportTraceServiceRequest::decode(&self.body[..]).unwrap();
        request.resource_spans[0].resource.clone().unwrap()
    }
}

/// Takes whatever is posted to it, on any path.
#[derive(Clone)]
pub(crate) struct Receiver {
    requests: watch::Sender<Vec<Request>>,
    answers: bool,
}

impl Receiver {
    pub(crate) async fn start() -> (Receiver, String) {
        Receiver::start_that(true).await
    }

    /// It takes requests and never answers.
    pub(crate) async fn start_silent() -> (Receiver, String) {
        Receiver::start_that(false).await
    }

    async fn start_that(answers: bool) -> (Receiver, String) {
        let requests = watch::Sender::default();
        let receiver = Receiver { requests, answers };
        let app = Router::new().fallback(keep).with_state(receiver.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (receiver, address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.borrow().clone()
    }

    /// Resolves once so many requests have come.
    pub(crate) async fn arrived(&self, count: usize) {
        let mut requests = self.requests.subscribe();
        let enough = requests.wait_for(|requests| requests.len() >= count);
        enough.await.unwrap();
    }
}

async fn keep(State(receiver): State<Receiver>, uri: Uri, headers: HeaderMap, body: Bytes) {
    let packed = headers
        .get("content-encoding")
        .is_some_and(|encoding| encoding == "gzip");
    let mut bytes = body.to_vec();
    if packed {
        bytes.clear();
        let mut unpacked = flate2::read::GzDecoder::new(&body[..]);
        unpacked.read_to_end(&mut bytes).unwrap();
    }
    let request = Request {
        path: uri.path().to_owned(),
        headers,
        body: bytes,
    };
    receiver.requests.send_modify(|all| all.push(request));
    if !receiver.answers {
        std::future::pending::<()>().await;
    }
}

pub(crate) fn settings(variables: &[(&str, &str)]) -> Settings {
    let variable = |name: &str| {
        let set = variables.iter().find(|(known, _)| *known == name);
        set.map(|(_, value)| (*value).to_owned())
    };
    Settings::from_vars(variable).unwrap()
}

fn try_build(variables: &[(&str, &str)]) -> Result<Telemetry, InitError> {
    let service = Service::new("orders", "1.2.3");
    let builder = Telemetry::builder(service).settings(settings(variables));
    builder.without_subscriber().build()
}

/// What arrives when these variables are set and `work` is done.
async fn exported(variables: &[(&str, &str)], work: impl FnOnce(&Telemetry)) -> Vec<Request> {
    let (receiver, address) = Receiver::start().await;
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.replace("RECEIVER", &address)))
        .collect();
    let mut all = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str())];
    all.retain(|(name, _)| !variables.iter().any(|(own, _)| own == name));
    all.extend(
        variables
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    let telemetry = try_build(&all).unwrap();
    work(&telemetry);
    telemetry.shutdown(Duration::from_secs(10)).await;
    receiver.requests()
}

pub(crate) fn one_span(telemetry: &Telemetry) {
    span(telemetry, "/orders/7", StatusCode::OK);
}

fn texts(attributes: &[Attribute]) -> BTreeMap<String, String> {
    let text = |pair: &'_ Attribute| match pair.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    };
    let texts = attributes.iter();
    texts
        .filter_map(|pair| Some((pair.key.clone(), text(pair)?)))
        .collect()
}

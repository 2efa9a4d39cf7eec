//! A real OTLP receiver for all signals, which keeps what it gets.

use crate::collector::{frame, unframe, unzip};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Response;
use axum::routing::post;
use axum::serve::Listener;
use http::HeaderMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// Signal, headers and message of each request.
pub(crate) type Requests = Arc<Mutex<Vec<(String, HeaderMap, Vec<u8>)>>>;

/// An OTLP receiver for HTTP; its address and what it got.
pub(crate) async fn receiver() -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (address, receiver_behind(listener))
}

/// An OTLP receiver for every protocol.
pub(crate) fn receiver_behind<L>(listener: L) -> Requests
where
    L: Listener<Addr: Debug>,
{
    let requests = Requests::default();
    let http = |signal: &'static str| {
        post(
            move |State(requests): State<Requests>, headers: HeaderMap, body: Bytes| async move {
                let packed = headers.get("content-encoding");
                let message = match packed.is_some_and(|encoding| encoding == "gzip") {
                    true => unzip(&body),
                    false => body.to_vec(),
                };
                let mut requests = requests.lock().unwrap();
                requests.push((signal.to_owned(), headers, message));
            },
        )
    };
    let grpc = |signal: &'static str| {
        post(
            move |State(requests): State<Requests>, headers: HeaderMap, body: Bytes| async move {
                assert_eq!(headers["content-type"], "application/grpc");
                let message = unframe(&headers, &body);
                let mut requests = requests.lock().unwrap();
                requests.push((signal.to_owned(), headers, message));
                frame(Response::builder(), &[])
            },
        )
    };
    let service = "/opentelemetry.proto.collector";
    let app = Router::new()
        .route("/v1/traces", http("traces"))
        .route("/v1/metrics", http("metrics"))
        .route("/v1/logs", http("logs"))
        .route(
            &format!("{service}.metrics.v1.MetricsService/Export"),
            grpc("metrics"),
        )
        .route(
            &format!("{service}.logs.v1.LogsService/Export"),
            grpc("logs"),
        )
        .with_state(Arc::clone(&requests));
    tokio::spawn(async move { axum::serve(listener, app).await });
    requests
}

#[cfg(feature = "opentelemetry-sdk")]
pub(crate) fn of<M>(requests: &Requests, signal: &str) -> Vec<(HeaderMap, M)>
where
    M: prost::Message + Default + serde::de::DeserializeOwned,
{
    let requests = requests.lock().unwrap();
    let some = requests.iter().filter(|(name, ..)| name == signal);
    some.map(|(_, headers, body)| {
        let message = match headers["content-type"] == "application/json" {
            true => serde_json::from_slice(body).unwrap(),
            false => M::decode(&body[..]).unwrap(),
        };
        (headers.clone(), message)
    })
    .collect()
}

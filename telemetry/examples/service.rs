//! A service in thirty lines, with traces, metrics and logs.
//!
//! ```text
//! cargo run -p citywatch-telemetry --example service -- 8080
//! curl -i localhost:8080/orders/7
//! curl -H 'accept: application/openmetrics-text' localhost:8080/metrics
//! ```
#![allow(clippy::print_stdout)]

use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::{Router, routing::get};
use reqwest_middleware::ClientWithMiddleware;
use std::{error::Error, net::Ipv4Addr, net::SocketAddr, time::Duration};
use telemetry::{Service, Telemetry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = telemetry::init(Service::new("orders", env!("CARGO_PKG_VERSION")))?;
    let port = std::env::args().nth(1).ok_or("which port?")?.parse()?;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    let app = Router::new()
        .route("/orders/{id}", get(order))
        .route("/stock/{id}", get(in_stock))
        .with_state((telemetry.client(reqwest::Client::new()), address))
        .layer(telemetry.server_layer())
        .route("/metrics", get(metrics).with_state(telemetry.clone()));
    tracing::info!(%address, "listening");
    axum::serve(listener, app)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    println!("{}", telemetry.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

type Client = State<(ClientWithMiddleware, SocketAddr)>;

async fn order(Path(id): Path<u32>, State((client, stock)): Client) -> Result<String, StatusCode> {
    tracing::info!(id, "asked for an order");
    let url = format!("http://{stock}/stock/{id}");
    let answer = client.get(url).send().await;
    let answer = answer.map_err(|_| StatusCode::BAD_GATEWAY)?.text().await;
    answer.map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn in_stock(Path(id): Path<u32>) -> String {
    format!("{id} is in stock")
}

async fn metrics(State(telemetry): State<Telemetry>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let page = telemetry.metrics_page(accept);
    ([(CONTENT_TYPE, page.content_type)], page.body)
}

//! A service in thirty lines, with traces, metrics and logs.
//!
//! ```text
//! cargo run -p citywatch-telemetry --example service -- 127.0.0.1:8080
//! curl -i localhost:8080/orders/7
//! curl -H 'accept: application/openmetrics-text' localhost:8080/metrics
//! ```
#![allow(clippy::print_stdout)]

use axum::{Router, extract::State, http::StatusCode, routing::get};
use reqwest_middleware::ClientWithMiddleware as Client;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = telemetry::init(telemetry::Service::new("orders", "1.0.0"))?;
    let address = std::env::args().nth(1).ok_or("which address?")?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    let stock = format!("http://{}/stock", listener.local_addr()?);
    tracing::info!(stock, "listening");
    let app = Router::new()
        .route("/orders/{id}", get(order))
        .route("/stock", get(|| async { "in stock" }))
        .with_state((telemetry.client(reqwest::Client::new()), stock))
        .layer(telemetry.server_layer())
        .route("/metrics", telemetry.metrics_route());
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    let server = axum::serve(listener, app).with_graceful_shutdown(stop);
    server.await?;
    println!("{}", telemetry.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

async fn order(State((client, stock)): State<(Client, String)>) -> Result<String, StatusCode> {
    tracing::info!("an order is asked for");
    let answer = client.get(stock).send().await;
    let answer = answer.map_err(|_| StatusCode::BAD_GATEWAY)?.text().await;
    answer.map_err(|_| StatusCode::BAD_GATEWAY)
}

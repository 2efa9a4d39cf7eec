//! A service for the W3C's
//! [test harness of Trace Context](https://github.com/w3c/trace-context/tree/main/test): it is told
//! whom to call, and calls them within the trace of the request.
//!
//! ```text
//! OTEL_TRACES_EXPORTER=none cargo run --example trace_context -- 5000
//! SPEC_LEVEL=2 python test.py http://127.0.0.1:5000/test
//! ```

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, Router, routing::post};
use reqwest_middleware::ClientWithMiddleware;
use serde_json::Value;
use std::error::Error;
use std::net::Ipv4Addr;
use std::time::Duration;
use telemetry::Service;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("which port?")?.parse()?;
    let telemetry = telemetry::init(Service::new("trace-context", env!("CARGO_PKG_VERSION")))?;
    let app = Router::new()
        .route("/test", post(call))
        .with_state(telemetry.client(reqwest::Client::new()))
        .layer(telemetry.server_layer());
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    axum::serve(listener, app)
        .with_graceful_shutdown(async {
            // Without a signal to wait for, it serves on.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
    telemetry.shutdown(Duration::from_secs(2)).await;
    Ok(())
}

/// Sends the `arguments` of each call to its `url`, one after another.
async fn call(
    State(client): State<ClientWithMiddleware>,
    Json(calls): Json<Vec<Value>>,
) -> Result<(), (StatusCode, String)> {
    for call in calls {
        let url = call["url"].as_str().unwrap_or_default();
        let sent = client
            .post(url)
            .header("content-type", "application/json")
            .body(call["arguments"].to_string())
            .send()
            .await;
        sent.map_err(|error| (StatusCode::BAD_GATEWAY, error.to_string()))?;
    }
    Ok(())
}

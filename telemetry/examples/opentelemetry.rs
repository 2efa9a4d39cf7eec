//! Code that speaks the OpenTelemetry API: it stays as it is, and gets other providers.
//!
//! ```text
//! cargo run -p citywatch-telemetry --example opentelemetry
//! cargo run -p citywatch-telemetry --example opentelemetry -- own-provider
//! ```
//!
//! With `own-provider` the SDK's `TracerProvider` stays too, and hands its spans to telemetry.
#![allow(clippy::print_stdout)]

use opentelemetry::logs::{LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{FutureExt, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;
use telemetry::{Service, Settings, Telemetry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::builder(Service::new("checkout", env!("CARGO_PKG_VERSION")))
        .settings(Settings::from_env()?)
        .build()?;
    global::set_text_map_propagator(TraceContextPropagator::new());
    global::set_meter_provider(telemetry.meter_provider().clone());
    if std::env::args().nth(1).as_deref() == Some("own-provider") {
        let provider = SdkTracerProvider::builder()
            .with_span_processor(telemetry.span_processor())
            .build();
        global::set_tracer_provider(provider);
    } else {
        global::set_tracer_provider(telemetry.tracer_provider().clone());
    }

    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let message = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let forwarded = checkout(&message, telemetry.logger_provider()).await;
    println!("traceparent: {}", forwarded["traceparent"]);

    println!("{}", telemetry.shutdown(Duration::from_secs(5)).await);
    Ok(())
}

/// As it was before: nothing here knows of telemetry.
async fn checkout(
    message: &HashMap<String, String>,
    loggers: &impl LoggerProvider,
) -> HashMap<String, String> {
    let caller = global::get_text_map_propagator(|propagator| propagator.extract(message));
    let tracer = global::tracer("checkout");
    let span = tracer.start_with_context("checkout", &caller);
    let context = caller.with_span(span);
    async {
        let orders = global::meter("checkout").u64_counter("orders").build();
        orders.add(1, &[KeyValue::new("paid", true)]);
        let logger = loggers.logger("checkout");
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Info);
        record.set_body("an order was paid".into());
        logger.emit(record);
        tracer.in_span("pay", |_| {
            let mut forwarded = HashMap::new();
            global::get_text_map_propagator(|propagator| {
                propagator.inject_context(&Context::current(), &mut forwarded);
            });
            forwarded
        })
    }
    .with_context(context)
    .await
}

//! The observatory as a service of the city.

use std::sync::Arc;
use std::time::Duration;

use app::{City, Parts, StartError};
use utoipa::OpenApi as _;

use crate::jaeger::Queries;
use crate::meters::Meters;
use crate::otlp::{Inflight, Ingest, Limits, Listener, Protocol};
use crate::store::Store;
use crate::{jaeger, web};

app::settings! {
    /// Settings of the observatory.
    pub struct Settings {
        /// Where OTLP over gRPC is received. Port 0: any free port.
        boot otlp_grpc_listen: String = "127.0.0.1:4317".into(),
        /// Where OTLP over HTTP is received. Port 0: any free port.
        boot otlp_http_listen: String = "127.0.0.1:4318".into(),
        /// Memory for traces, in bytes, indexes included. The oldest traces make room for new
        /// ones; one trace may take an eighth.
        boot store_bytes: usize = 64 << 20,
        /// Largest OTLP message, in bytes, before and after decompression.
        boot otlp_message_bytes: usize = 64 << 20,
        /// Memory for OTLP requests that are being read, in bytes, all together; beyond it
        /// senders are asked to come again.
        boot otlp_inflight_bytes: usize = 128 << 20,
        /// Time for one OTLP request to arrive, in milliseconds.
        boot otlp_read_timeout_ms: u64 = 30_000,
    }
}

/// OTLP in, traces in bounded memory, Jaeger's query API and a page out.
#[derive(Debug)]
pub struct Observatory;

impl app::Service for Observatory {
    const NAME: &'static str = "observatory";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const LISTEN: &'static str = "127.0.0.1:16686";
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        let mut api = jaeger::Api::openapi();
        api.merge(web::Api::openapi());
        api
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let settings = city.settings.load();
        let store = Arc::new(Store::new(settings.store_bytes));
        let registry = city.telemetry.registry();
        let meters = Meters::register(registry, &store).map_err(StartError::new)?;
        let ingest = Ingest {
            store: Arc::clone(&store),
            meters,
            limits: Limits {
                message: settings.otlp_message_bytes,
                read: Duration::from_millis(settings.otlp_read_timeout_ms),
            },
            inflight: Inflight::new(settings.otlp_inflight_bytes),
        };
        let grpc = listen(&settings.otlp_grpc_listen, Protocol::Grpc, ingest.clone()).await?;
        let http = listen(&settings.otlp_http_listen, Protocol::Http, ingest).await?;
        let queries = Queries::of(store);
        let overview = web::Overview {
            queries: queries.clone(),
            otlp_grpc: grpc.address(),
            otlp_http: http.address(),
        };
        let router = jaeger::router(queries)
            .merge(web::overview(overview))
            .merge(web::assets());
        Ok(Parts::router(router)
            .address("otlp_grpc", grpc.address())
            .address("otlp_http", http.address())
            .task("otlp_grpc", grpc.run(city.stopping.clone()))
            .task("otlp_http", http.run(city.stopping.clone())))
    }
}

async fn listen(address: &str, protocol: Protocol, ingest: Ingest) -> Result<Listener, StartError> {
    Listener::bind(address, protocol, ingest)
        .await
        .map_err(|error| StartError::new(format_args!("cannot listen on {address}: {error}")))
}

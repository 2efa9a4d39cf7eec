//! Orders: each is the log of its events, and a saga takes it to its end.

use app::{City, Parts, Service, StartError};
use utoipa::OpenApi;

app::settings! {
    /// What orders can be told.
    pub struct Settings {}
}

/// The service.
pub struct Orders;

#[derive(OpenApi)]
#[openapi(info(description = "Orders as logs of events, and the saga that fulfils them."))]
struct Api;

impl Service for Orders {
    const NAME: &'static str = "orders";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        Api::openapi()
    }

    async fn start(_: City<Settings>) -> Result<Parts, StartError> {
        Ok(Parts::router(axum::Router::new()))
    }
}

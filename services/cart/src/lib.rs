//! What members put aside to buy.

use app::{City, Parts, Service, StartError};
use utoipa::OpenApi;

app::settings! {
    /// What cart can be told.
    pub struct Settings {}
}

/// The service.
pub struct Cart;

#[derive(OpenApi)]
#[openapi(info(description = "What members put aside to buy."))]
struct Api;

impl Service for Cart {
    const NAME: &'static str = "cart";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        Api::openapi()
    }

    async fn start(_: City<Settings>) -> Result<Parts, StartError> {
        Ok(Parts::router(axum::Router::new()))
    }
}

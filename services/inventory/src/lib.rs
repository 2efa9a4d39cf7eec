//! What is in stock, and what of it is promised to whom.

use app::{City, Parts, Service, StartError};
use utoipa::OpenApi;

app::settings! {
    /// What inventory can be told.
    pub struct Settings {}
}

/// The service.
pub struct Inventory;

#[derive(OpenApi)]
#[openapi(info(description = "Stock and the reservations held against it."))]
struct Api;

impl Service for Inventory {
    const NAME: &'static str = "inventory";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        Api::openapi()
    }

    async fn start(_: City<Settings>) -> Result<Parts, StartError> {
        Ok(Parts::router(axum::Router::new()))
    }
}

//! Charges and refunds: each is made at most once, whatever breaks.

use app::{City, Parts, Service, StartError};
use utoipa::OpenApi;

app::settings! {
    /// What payments can be told.
    pub struct Settings {}
}

/// The service.
pub struct Payments;

#[derive(OpenApi)]
#[openapi(info(description = "Charges and refunds, each at most once."))]
struct Api;

impl Service for Payments {
    const NAME: &'static str = "payments";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        Api::openapi()
    }

    async fn start(_: City<Settings>) -> Result<Parts, StartError> {
        Ok(Parts::router(axum::Router::new()))
    }
}

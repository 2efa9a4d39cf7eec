//! Errors as clients see them.

use app::{Problem, with_causes};
use axum::http::{HeaderValue, StatusCode, header};

use crate::store::StoreFailure;

impl From<StoreFailure> for Problem {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Injected(injected) => injected.into(),
            StoreFailure::Store(error) if error.is_busy() => {
                tracing::warn!(error = with_causes(&error), "store is busy");
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, "store_busy", "The store is busy")
                    .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            failure => Self::internal(with_causes(&failure)),
        }
    }
}

pub(super) fn unknown_shipment() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown_shipment",
        "There is no such shipment",
    )
}

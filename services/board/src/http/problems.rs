//! Errors as clients see them.

use app::{Problem, with_causes};
use axum::http::{HeaderValue, StatusCode, header};

use crate::domain::Invalid;
use crate::store::StoreFailure;

impl From<StoreFailure> for Problem {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::UnknownPost => Self::new(
                StatusCode::NOT_FOUND,
                "unknown_post",
                "There is no such post",
            ),
            StoreFailure::Injected(injected) => injected.into(),
            StoreFailure::Store(error) if error.is_busy() => {
                tracing::warn!(error = with_causes(&error), "store is busy");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store_busy",
                    "The store is busy",
                )
                .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            failure @ (StoreFailure::Column(_)
            | StoreFailure::Store(_)
            | StoreFailure::Publish(_)) => Self::internal(with_causes(&failure)),
        }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let (code, title) = match invalid {
            Invalid::Title(_) => ("invalid_title", "The title breaks a rule"),
            Invalid::Body(_) => ("invalid_body", "The body breaks a rule"),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, title).detail(invalid.to_string())
    }
}
